/** UDP on Node: real sockets on loopback. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { DatagramEvents } from "../../ports.ts";
import { createOpenDatagram, datagramBytesMax, lookupsMax } from "./node-datagram.ts";

const openDatagram = createOpenDatagram();

async function bind(t: TestContext, address: string): Promise<Socket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  t.after(() => socket.close());
  socket.bind(0, address);
  await once(socket, "listening");
  return socket;
}

/** What a link told, in order, and a way to wait for the next of it. */
class Told implements DatagramEvents {
  readonly words: string[] = [];
  #wake = () => {};

  opened(): void {
    this.#say("opened");
  }
  received(bytes: Uint8Array): void {
    this.#say(`received ${Buffer.from(bytes).toString()}`);
  }
  failed(because: string): void {
    this.#say(`failed ${because}`);
  }
  async until(count: number): Promise<readonly string[]> {
    while (this.words.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.words;
  }
  #say(word: string): void {
    this.words.push(word);
    this.#wake();
  }
}

const ascii = (text: string) => new Uint8Array(Buffer.from(text));

for (const [host, address] of [
  ["127.0.0.1", "127.0.0.1"],
  ["::1", "::1"],
] as const) {
  test(`a datagram goes to ${host} and its answer comes back`, async (t) => {
    const server = await bind(t, address);
    server.on("message", (bytes, from) => server.send(`to ${bytes}`, from.port, from.address));
    const told = new Told();
    const link = openDatagram({ host, port: server.address().port }, told);
    t.after(() => link.close());

    assert.deepEqual(told.words, [], "nothing is told before open returns");
    await told.until(1);
    link.send(ascii("you"));

    assert.deepEqual(await told.until(2), ["opened", "received to you"]);
  });
}

test("a name is resolved", async (t) => {
  const told = new Told();
  const link = openDatagram({ host: "localhost", port: 9 }, told);
  t.after(() => link.close());

  assert.deepEqual(await told.until(1), ["opened"]);
});

test("a name that is not known fails, once", async () => {
  const told = new Told();
  openDatagram({ host: "no-such-host.invalid", port: 123 }, told);

  const [failure = ""] = await told.until(1);

  assert.match(failure, /^failed E(NOTFOUND|AI_AGAIN)$/);
  assert.equal(told.words.length, 1);
});

test("a datagram from another port of the same machine is never delivered", async (t) => {
  const server = await bind(t, "127.0.0.1");
  const stranger = await bind(t, "127.0.0.1");
  server.on("message", (_, from) => {
    stranger.send("strange", from.port, from.address, () => server.send("true", from.port, from.address));
  });
  const told = new Told();
  const link = openDatagram({ host: "127.0.0.1", port: server.address().port }, told);
  t.after(() => link.close());
  await told.until(1);

  link.send(ascii("?"));

  assert.deepEqual(await told.until(2), ["opened", "received true"]);
});

test("a port at which nobody listens fails the link as soon as the system says so", async () => {
  const gone = createSocket("udp4");
  gone.bind(0, "127.0.0.1");
  await once(gone, "listening");
  const { port } = gone.address();
  gone.close();
  await once(gone, "close");
  const told = new Told();
  const link = openDatagram({ host: "127.0.0.1", port }, told);
  await told.until(1);

  link.send(ascii("?"));

  assert.deepEqual(await told.until(2), ["opened", "failed ECONNREFUSED"]);
});

test("after close nothing is told, and what is sent goes nowhere", async (t) => {
  const server = await bind(t, "127.0.0.1");
  let received = 0;
  server.on("message", () => {
    received += 1;
  });
  const told = new Told();
  const peer = { host: "127.0.0.1", port: server.address().port };
  const link = openDatagram(peer, told);
  link.close();
  link.close();
  link.send(ascii("lost"));

  // Another link's way there and back takes longer than what the closed one could still have told.
  const after = new Told();
  const next = openDatagram(peer, after);
  t.after(() => next.close());
  await after.until(1);
  const arrived = once(server, "message");
  next.send(ascii("found"));
  const [bytes] = await arrived;

  assert.deepEqual([told.words, received, String(bytes)], [[], 1, "found"]);
});

test("1,200 bytes are sent, and one more is not", async (t) => {
  const server = await bind(t, "127.0.0.1");
  const told = new Told();
  const link = openDatagram({ host: "127.0.0.1", port: server.address().port }, told);
  t.after(() => link.close());
  await told.until(1);
  const arrived = once(server, "message");

  link.send(new Uint8Array(datagramBytesMax + 1));
  link.send(new Uint8Array(datagramBytesMax));
  const [bytes] = await arrived;

  assert.equal(bytes.length, 1_200);
});

test("a third name fails at once while two are being resolved, and addresses need no resolver", async (t) => {
  const told = [new Told(), new Told(), new Told(), new Told()];
  const hosts = ["a.invalid", "b.invalid", "c.invalid", "127.0.0.1"];
  const opened = createOpenDatagram();

  const links = hosts.map((host, index) => opened({ host, port: 9 }, told[index] ?? new Told()));
  t.after(() => {
    for (const link of links) link.close();
  });

  assert.equal(lookupsMax, 2);
  assert.deepEqual(await told[2]?.until(1), ["failed EAGAIN"]);
  assert.deepEqual(await told[3]?.until(1), ["opened"]);
  await Promise.all([told[0]?.until(1), told[1]?.until(1)]);
});
