import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { DatagramProxy, datagramClientsMax, datagramsDelayedMax } from "./datagram-proxy.ts";

async function bind(t: TestContext): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return socket;
}

/** A server that answers "X" with "re:X", behind a proxy. */
async function echoBehindProxy(t: TestContext): Promise<DatagramProxy> {
  const server = await bind(t);
  server.on("message", (bytes, from) => server.send(`re:${bytes}`, from.port, from.address));
  const proxy = await DatagramProxy.start({ host: "127.0.0.1", port: server.address().port });
  t.after(() => proxy.close());
  return proxy;
}

interface Client {
  readonly socket: Socket;
  readonly received: readonly string[];
  /** @returns The next so many, in 5 s at most. */
  next(count: number): Promise<readonly string[]>;
}

async function openClient(t: TestContext, proxy: DatagramProxy): Promise<Client> {
  const socket = await bind(t);
  const received: string[] = [];
  socket.on("message", (bytes, from) => {
    assert.equal(from.port, proxy.port);
    received.push(String(bytes));
  });
  return {
    socket,
    received,
    async next(count) {
      while (received.length < count) await once(socket, "message", { signal: AbortSignal.timeout(5_000) });
      return received.splice(0, count);
    },
  };
}

test("a question reaches the server, and each client has its own answer", async (t) => {
  const proxy = await echoBehindProxy(t);
  const [a, b] = [await openClient(t, proxy), await openClient(t, proxy)];

  a.socket.send("from a", proxy.port);
  b.socket.send("from b", proxy.port);

  assert.deepEqual([await a.next(1), await b.next(1)], [["re:from a"], ["re:from b"]]);
  assert.deepEqual(proxy.received, { to_server: 2, to_client: 2 });
});

test("what the function drops is lost, on either way", async (t) => {
  const proxy = await echoBehindProxy(t);
  const client = await openClient(t, proxy);
  let lost = 0;
  proxy.alter = (datagram, way) => {
    const isLost = way === "to_server" ? String(datagram) === "1" : String(datagram) === "re:2";
    if (isLost) lost += 1;
    return isLost ? [] : [datagram];
  };

  for (const text of ["1", "2", "3"]) client.socket.send(text, proxy.port);

  assert.deepEqual([await client.next(1), lost], [["re:3"], 2]);
  assert.deepEqual(client.received, []);
});

test("what the function changes or doubles arrives so", async (t) => {
  const proxy = await echoBehindProxy(t);
  const client = await openClient(t, proxy);
  proxy.alter = (datagram, way) =>
    way === "to_server" ? [Buffer.from(`forged ${datagram}`)] : [datagram, Buffer.from("again")];

  client.socket.send("1", proxy.port);

  assert.deepEqual(await client.next(2), ["re:forged 1", "again"]);
});

test("a delay holds both ways up", async (t) => {
  const proxy = await echoBehindProxy(t);
  const client = await openClient(t, proxy);
  proxy.delayMillis = 30;
  const start = performance.now();

  client.socket.send("1", proxy.port);
  await client.next(1);
  const millis = performance.now() - start;

  assert.ok(millis >= 59 && millis < 2_000, `${millis}`);
});

test("one more than can be on their way at once is lost", async (t) => {
  const server = await bind(t);
  let arrived = 0;
  server.on("message", () => {
    arrived += 1;
  });
  const proxy = await DatagramProxy.start({ host: "127.0.0.1", port: server.address().port });
  t.after(() => proxy.close());
  const client = await bind(t);
  proxy.delayMillis = 1_000;
  for (let sent = 1; sent <= datagramsDelayedMax + 1; sent += 1) {
    client.send("x", proxy.port, "127.0.0.1");
    while (proxy.received.to_server < sent) await new Promise(setImmediate);
  }
  proxy.delayMillis = 0;

  while (arrived < datagramsDelayedMax) await once(server, "message", { signal: AbortSignal.timeout(5_000) });
  client.send("last", proxy.port, "127.0.0.1");
  await once(server, "message", { signal: AbortSignal.timeout(5_000) });

  assert.deepEqual([arrived, proxy.received.to_server], [datagramsDelayedMax + 1, datagramsDelayedMax + 2]);
});

test("what is injected comes from where the client looks for its server, and is asked of nobody", async (t) => {
  const proxy = await echoBehindProxy(t);
  const client = await openClient(t, proxy);
  client.socket.send("1", proxy.port);
  await client.next(1);
  proxy.alter = () => [];

  proxy.inject(Buffer.from("unasked"));

  assert.deepEqual([await client.next(1), proxy.received.to_client], [["unasked"], 1]);
});

test("the client known longest is forgotten for one more than can be known, and served again when it speaks", async (t) => {
  const proxy = await echoBehindProxy(t);
  const first = await openClient(t, proxy);
  first.socket.send("1", proxy.port);
  await first.next(1);
  for (let index = 0; index < datagramClientsMax; index += 1) {
    const other = await openClient(t, proxy);
    other.socket.send("x", proxy.port);
    await other.next(1);
  }

  proxy.inject(Buffer.from("to those known"));
  first.socket.send("2", proxy.port);

  assert.deepEqual(await first.next(1), ["re:2"]);
});

test("a closed proxy sends nothing that was on its way", async (t) => {
  const proxy = await echoBehindProxy(t);
  const client = await openClient(t, proxy);
  const direct = await bind(t);
  proxy.delayMillis = 20;
  client.socket.send("1", proxy.port);
  while (proxy.received.to_server === 0) await new Promise(setImmediate);

  proxy.close();
  proxy.close();
  // Another socket's word to the same client, sent after the delayed one would have been.
  await new Promise((resolve) => setTimeout(resolve, 30));
  direct.send("barrier", client.socket.address().port, "127.0.0.1");

  client.socket.removeAllListeners("message");
  const [bytes] = await once(client.socket, "message");
  assert.equal(String(bytes), "barrier");
});
