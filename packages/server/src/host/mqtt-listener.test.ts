import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { ByteLink } from "@mayfly/core";
import { VirtualTime } from "../../test/bridge-world.ts";
import { AcceptGate, acceptsBurst, acceptsWaitingMax } from "./accept-gate.ts";
import { createFurtherPort, createMqttListener, outgoingBytesMax } from "./mqtt-listener.ts";
import { openServerIdentity, type ServerIdentity } from "./server-identity.ts";
import { systemClock, systemTimers } from "./system-ports.ts";
import { TlsSessionStore } from "./tls-session-store.ts";

let base: string;
let identity: ServerIdentity;
let ca: string;

before(async () => {
  base = mkdtempSync(join(tmpdir(), "mayfly-listener-"));
  identity = await openServerIdentity({
    folder: base,
    caFile: join(base, "ca.pem"),
    hostNames: ["localhost"],
    nowMs: Date.now(),
  });
  ca = readFileSync(identity.caFile, "utf8");
});
after(() => rmSync(base, { recursive: true }));

/** A listener whose bridge echoes what it receives and keeps its links. */
async function listen(
  gate = new AcceptGate({ clock: systemClock, timers: systemTimers }),
  connectionsMax = 100,
) {
  const links: ByteLink[] = [];
  const closed: string[] = [];
  const errors: string[] = [];
  const sessions = new TlsSessionStore({ monotonicMillis: systemClock.monotonicMillis });
  const server = createMqttListener({
    identity,
    sessions,
    gate,
    connectionsMax,
    onClientError: (code) => errors.push(code),
    bridge: {
      open(link) {
        links.push(link);
        return {
          received: (bytes) => link.write(Buffer.from(bytes)),
          closed: (because) => closed.push(because),
        };
      },
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const dial = async (options: ConnectionOptions = {}): Promise<TLSSocket> => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca, ...options });
    await once(socket, "secureConnect");
    return socket;
  };
  return { server, links, closed, errors, sessions, dial, port };
}

async function echo(socket: TLSSocket): Promise<string> {
  socket.write("ping");
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString();
}

test("a TLS 1.2 client that knows no tickets resumes by session id", async (t) => {
  const { server, dial } = await listen();
  t.after(() => server.close());
  const noTickets = {
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    secureOptions: 0x4000 /* SSL_OP_NO_TICKET */,
  } as const;
  const first = await dial(noTickets);
  await echo(first);
  const session = first.getSession();
  first.end();
  await once(first, "close");

  const second = await dial({ ...noTickets, ...(session === undefined ? {} : { session }) });

  assert.equal(second.isSessionReused(), true);
  assert.equal(await echo(second), "ping");
  second.destroy();
});

test("a TLS 1.3 client resumes by ticket and leaves nothing in the session-id store", async (t) => {
  const { server, dial, sessions } = await listen();
  t.after(() => server.close());
  const first = await dial({ minVersion: "TLSv1.3" });
  const ticket = once(first, "session") as Promise<[Buffer]>;
  await echo(first);
  const [session] = await ticket;
  first.destroy();

  const second = await dial({ minVersion: "TLSv1.3", session });

  assert.equal(second.isSessionReused(), true);
  assert.equal(sessions.size, 0);
  second.destroy();
});

test("ECDHE-ECDSA on P-256 with TLS 1.2, as small devices speak it, is served", async (t) => {
  const { server, dial } = await listen();
  t.after(() => server.close());

  const socket = await dial({
    maxVersion: "TLSv1.2",
    ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
    ecdhCurve: "prime256v1",
  });

  assert.equal(socket.getCipher().name, "ECDHE-ECDSA-AES128-GCM-SHA256");
  assert.equal(await echo(socket), "ping");
  socket.destroy();
});

test("a client that asks for no server name still gets the certificate", async (t) => {
  const { server, dial } = await listen();
  t.after(() => server.close());

  const socket = await dial({ servername: "", checkServerIdentity: () => undefined });

  assert.equal(socket.authorized, true);
  socket.destroy();
});

test("a peer that reads nothing is cut when more waits for it than the bound allows", async (t) => {
  const { server, dial, links, closed } = await listen();
  t.after(() => server.close());
  const socket = await dial();
  socket.on("error", () => {});
  socket.pause();
  const gone = once(socket, "close");

  // The kernel's own buffers take some first; what they take is not ours to bound.
  for (let written = 0; written < 100 * outgoingBytesMax && closed.length === 0; written += 65_536) {
    links[0]?.write(new Uint8Array(65_536));
    if (written % (1 << 20) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.resume();
  await gone;

  assert.deepEqual(closed, ["slow_reader"]);
});

test("beyond the pace a connection waits for its handshake, and loses nothing of what it sent meanwhile", async (t) => {
  const time = new VirtualTime();
  const gate = new AcceptGate({ clock: time, timers: time });
  for (let i = 0; i < acceptsBurst; i++) gate.enter(() => undefined);
  const { server, dial, port } = await listen(gate);
  t.after(() => server.close());
  const gone = connectTcp(port, "127.0.0.1");
  await once(gone, "connect");
  const dialling = dial();
  while (gate.waiting < 2) await once(server, "connection");
  gone.destroy();
  while (gate.waiting > 1) await new Promise(setImmediate);

  await time.advance(1_000);
  const socket = await dialling;

  assert.equal(await echo(socket), "ping");
  socket.end();
});

test("when the line for a handshake is full, one more is closed at once", async (t) => {
  const time = new VirtualTime();
  const gate = new AcceptGate({ clock: time, timers: time });
  for (let i = 0; i < acceptsBurst + acceptsWaitingMax; i++) gate.enter(() => undefined);
  const { server, errors, port } = await listen(gate);
  t.after(() => server.close());

  const late = connectTcp(port, "127.0.0.1");
  late.on("error", () => undefined);
  await once(late, "close");

  assert.deepEqual(errors, ["too_many_waiting"]);
});

test("a further port serves the same, and all ports together have one limit of connections", async (t) => {
  const { server, dial, errors, closed } = await listen(undefined, 2);
  const further = createFurtherPort(server);
  further.listen(0, "127.0.0.1");
  await once(further, "listening");
  t.after(() => {
    server.close();
    further.close();
  });
  const { port } = further.address() as AddressInfo;
  const first = await dial();
  const second = await dial({ port });

  const third = await dial({ port }).catch((error: NodeJS.ErrnoException) => error.code);
  const echoed = [await echo(first), await echo(second)];
  const gone = once(second, "close");
  second.destroy();
  await gone;
  while (closed.length === 0) await new Promise(setImmediate);
  const next = await dial();

  assert.equal(third, "ECONNRESET");
  assert.equal(errors[0], "too_many_connections");
  assert.deepEqual([...echoed, await echo(next)], ["ping", "ping", "ping"]);
  for (const socket of [first, next]) socket.destroy();
});
