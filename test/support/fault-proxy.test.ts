import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import { FaultProxy, proxyConnectionsMax } from "./fault-proxy.ts";
import { pipeBytesMax } from "./faulty-pipe.ts";

const run = promisify(execFile);

interface Bench {
  readonly proxy: FaultProxy;
  readonly port: number;
  /** The server's sides, in the order they were accepted. */
  readonly served: readonly Socket[];
}

/** A server that answers each chunk with the same bytes, behind a proxy. */
async function echoBehindProxy(t: TestContext): Promise<Bench> {
  const served: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("end", () => socket.end());
  });
  const port = await listen(t, server);
  const proxy = await FaultProxy.start({ host: "127.0.0.1", port });
  t.after(() => {
    proxy.close();
    for (const socket of served) socket.destroy();
  });
  return { proxy, port, served };
}

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

interface Client {
  readonly socket: Socket;
  readonly received: () => string;
  /** What the socket was told, in order: "end", an error's code, "close". */
  readonly told: readonly string[];
}

function openClient(t: TestContext, port: number): Client {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  t.after(() => socket.destroy());
  const told: string[] = [];
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
  });
  socket.on("end", () => told.push("end"));
  socket.on("error", (error: NodeJS.ErrnoException) => told.push(error.code ?? error.message));
  socket.on("close", () => told.push("close"));
  return { socket, received: () => received, told };
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < end, "it never came");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function echo(client: Client, text: string): Promise<void> {
  const before = client.received().length;
  client.socket.write(text);
  await until(() => client.received().length >= before + text.length);
  assert.equal(client.received().slice(before), text);
}

/** Long enough for anything that was not held up to have come: twenty round trips past the proxy. */
async function roundTrips(t: TestContext, port: number): Promise<void> {
  const yardstick = openClient(t, port);
  for (let trip = 0; trip < 20; trip += 1) await echo(yardstick, "?");
}

test("bytes go both ways unchanged, more than a pipe holds at once as well", async (t) => {
  const { proxy } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  const text = "0123456789abcdef".repeat((3 * pipeBytesMax) / 16);

  await echo(client, text);

  assert.deepEqual([proxy.connections, proxy.live, client.told], [1, 1, []]);
});

test("a server that does not read holds the client up, not the proxy's memory", async (t) => {
  const { proxy, port, served } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  await echo(client, "hello");
  served[0]?.removeAllListeners("data");
  served[0]?.pause();

  client.socket.write(new Uint8Array(64 * pipeBytesMax));
  await roundTrips(t, port);

  assert.ok(client.socket.writableLength > 32 * pipeBytesMax, `${client.socket.writableLength}`);
});

test("an orderly end goes through, one way and then the other", async (t) => {
  const { proxy } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);

  client.socket.end("last words");
  await until(() => client.told.includes("close"));

  assert.deepEqual([client.received(), client.told], ["last words", ["end", "close"]]);
  await until(() => proxy.live === 0);
});

test("a reset by the server is a reset for the client", async (t) => {
  const { proxy, served } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  await echo(client, "hello");

  served[0]?.resetAndDestroy();
  await until(() => client.told.includes("close"));

  assert.deepEqual(client.told, ["ECONNRESET", "close"]);
});

test("a cut by reset is a reset for both sides", async (t) => {
  const { proxy, served } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  await echo(client, "hello");
  const toServer: string[] = [];
  served[0]?.on("error", (error: NodeJS.ErrnoException) => toServer.push(error.code ?? ""));

  proxy.cut("reset");
  await until(() => client.told.includes("close") && served[0]?.destroyed === true);

  assert.deepEqual([client.told, toServer, proxy.live], [["ECONNRESET", "close"], ["ECONNRESET"], 0]);
});

test("a cut by end is an orderly end for both sides, also when unread bytes wait in a frozen proxy", async (t) => {
  const { proxy, served } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  await echo(client, "hello");
  const toServer: string[] = [];
  served[0]?.on("end", () => toServer.push("end"));
  served[0]?.on("error", (error: NodeJS.ErrnoException) => toServer.push(error.code ?? ""));
  proxy.freeze();
  client.socket.write("never arrives");

  proxy.cut("end");
  await until(() => client.told.includes("end") && toServer.length > 0);

  assert.deepEqual([client.told, toServer, client.received()], [["end"], ["end"], "hello"]);
});

test("frozen, nothing gets through and nobody is told, not even that the server is gone", async (t) => {
  const { proxy, port, served } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  await echo(client, "hello");

  proxy.freeze();
  client.socket.write("held");
  await roundTrips(t, port);
  served[0]?.resetAndDestroy();
  await roundTrips(t, port);
  const frozen = [client.received(), [...client.told], client.socket.destroyed];
  proxy.thaw();
  await until(() => client.told.includes("close"));

  assert.deepEqual(frozen, ["hello", [], false]);
  assert.deepEqual(client.told, ["ECONNRESET", "close"]);
});

test("what was held while frozen arrives after the thaw, in order, on a new connection as well", async (t) => {
  const { proxy, port, served } = await echoBehindProxy(t);
  const old = openClient(t, proxy.port);
  await echo(old, "hello ");
  proxy.freeze();
  old.socket.write("again");

  const fresh = openClient(t, proxy.port);
  await once(fresh.socket, "connect");
  fresh.socket.write("new");
  await roundTrips(t, port);
  // The yardstick went past the proxy and is one of them.
  const servedWhileFrozen = served.length;
  proxy.thaw();
  await until(() => old.received() === "hello again" && fresh.received() === "new");

  assert.deepEqual([servedWhileFrozen, proxy.connections], [2, 2]);
});

test("a delay holds each way up, and keeps the order", async (t) => {
  const { proxy } = await echoBehindProxy(t);
  const client = openClient(t, proxy.port);
  await echo(client, "0");
  proxy.delay(40);

  const start = performance.now();
  for (const digit of "123456789") {
    client.socket.write(digit);
    await new Promise(setImmediate);
  }
  await until(() => client.received().length === 10);
  const millis = performance.now() - start;

  assert.equal(client.received(), "0123456789");
  assert.ok(millis >= 80 && millis < 2_000, `${millis}`);
});

test("refused, a new connection fails at once and an old one goes on; accepted again, it works on the same port", async (t) => {
  const { proxy } = await echoBehindProxy(t);
  const old = openClient(t, proxy.port);
  await echo(old, "hello");

  proxy.refuse();
  const refused = openClient(t, proxy.port);
  await until(() => refused.told.includes("close"));
  await echo(old, "still here");
  await proxy.accept();
  await echo(openClient(t, proxy.port), "back");

  assert.deepEqual([refused.told, proxy.connections], [["ECONNREFUSED", "close"], 2]);
});

test("a server that is not there is a reset, and the proxy can be led to another", async (t) => {
  const { proxy, port } = await echoBehindProxy(t);
  const nobody = createServer();
  const emptyPort = await listen(t, nobody);
  nobody.close();
  proxy.target = { host: "127.0.0.1", port: emptyPort };

  const lost = openClient(t, proxy.port);
  await until(() => lost.told.includes("close"));
  proxy.target = { host: "127.0.0.1", port };
  await echo(openClient(t, proxy.port), "found");

  assert.deepEqual(lost.told, ["ECONNRESET", "close"]);
});

test("one connection more than can be held is reset, and the others stay", async (t) => {
  const { proxy } = await echoBehindProxy(t);
  const held = Array.from({ length: proxyConnectionsMax }, () => openClient(t, proxy.port));
  await until(() => proxy.live === proxyConnectionsMax);

  const late = openClient(t, proxy.port);
  await until(() => late.told.includes("close"));
  for (const client of held) client.socket.write("x");
  await until(() => held.every((client) => client.received() === "x"));

  assert.deepEqual([late.told, proxy.connections], [["ECONNRESET", "close"], proxyConnectionsMax + 1]);
});

test("TLS handshakes of openssl's client are counted, resumed ones too; a connection in the clear is none", async (t) => {
  requireService(t, "openssl");
  const folder = mkdtempSync(join(tmpdir(), "fault-proxy-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"].concat([
      "-subj",
      "/CN=localhost",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      cert,
    ]),
    { stdio: "ignore" },
  );
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    socket.on("error", () => undefined);
    socket.end("done\n");
  });
  const proxy = await FaultProxy.start({ host: "127.0.0.1", port: await listen(t, server) });
  t.after(() => proxy.close());
  const client = ["s_client", "-connect", `127.0.0.1:${proxy.port}`, "-quiet", "-verify_quiet"];

  await run("openssl", client, { timeout: 10_000 });
  const once1 = [proxy.connections, proxy.tlsHandshakes];
  // -reconnect makes five more connections with the session of the first.
  await run("openssl", [...client, "-tls1_2", "-reconnect"], { timeout: 10_000 }).catch(() => undefined);
  const reconnected = [proxy.connections, proxy.tlsHandshakes];
  const clear = openClient(t, proxy.port);
  clear.socket.write("GET / HTTP/1.1\r\n\r\n");
  await until(() => clear.told.includes("close") || clear.received() !== "" || clear.told.includes("end"));

  assert.deepEqual(once1, [1, 1]);
  assert.equal(reconnected[0], reconnected[1]);
  assert.ok((reconnected[0] ?? 0) >= 3, `${reconnected[0]}`);
  assert.deepEqual([proxy.connections, proxy.tlsHandshakes], [(reconnected[0] ?? 0) + 1, reconnected[1]]);
});
