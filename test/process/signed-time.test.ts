/**
 * Signed time from a served bridge, judged by programs that share no code with it: a Python client written from the
 * document with openssl for the signatures, curl, and plain datagrams.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, mayflyMain } from "./bridge-process.ts";

const run = promisify(execFile);
const bridge = new BridgeProcess();
const roots = join(bridge.folder, "roots");
const client = join(import.meta.dirname, "signed-time-client.py");
let pins: readonly string[] = [];

before(async () => {
  const made = execFileSync(process.execPath, [mayflyMain, "time-key", "init", "--out", roots, "--json"]);
  const { pins: printed } = JSON.parse(made.toString()) as { pins: readonly { publicKey: string }[] };
  pins = printed.map(({ publicKey }) => publicKey);
  await bridge.must(
    "time-key",
    "delegate",
    "--root",
    join(roots, "time-root-current.key.pem"),
    "--days",
    "7",
  );
  await bridge.start();
});
after(() => bridge.end());

interface Verdict {
  readonly refused?: string;
  readonly now?: number;
  readonly uncertainty?: number;
}

function fileNamed(name: string): string {
  return join(bridge.folder, name);
}

async function python(...args: readonly string[]) {
  const { stdout } = await run("python3", [client, ...args]);
  return stdout === "" ? {} : JSON.parse(stdout);
}

function timePort(): number {
  return Number(bridge.endpoints.time.slice(bridge.endpoints.time.lastIndexOf(":") + 1));
}

function needOutsidePrograms(t: TestContext): void {
  for (const name of ["python3", "openssl", "curl"] as const) requireService(t, name);
}

test("a client written from the document alone is answered over UDP, and openssl verifies both signatures", async (t) => {
  needOutsidePrograms(t);
  const [request, answer] = [fileNamed("udp.request"), fileNamed("udp.answer")];
  await python("request", request);

  const { roundTrip } = await python("ask", "127.0.0.1", String(timePort()), request, answer);
  const receivedMs = Date.now();
  const verdict: Verdict = await python("verify", request, answer, String(roundTrip), ...pins);

  t.diagnostic(`round trip ${roundTrip.toFixed(1)} ms, verdict ${JSON.stringify(verdict)}`);
  assert.equal(verdict.refused, undefined);
  assert.ok(Math.abs((verdict.now ?? 0) - receivedMs) <= (verdict.uncertainty ?? 0) + 1_000);
  assert.equal(readFileSync(answer).length, readFileSync(request).length);
});

/** POSTs a file with curl. @returns the status, and the header `mayfly-refusal`. */
async function curl(file: string, answer: string): Promise<string> {
  const { stdout } = await run("curl", [
    ...["--silent", "--cacert", bridge.endpoints.ca, "--data-binary", `@${file}`, "--output", answer],
    ...[
      "--write-out",
      "%{http_code} %header{mayfly-refusal}",
      `${bridge.endpoints.deviceHttps}/mayfly/v1/time`,
    ],
  ]);
  return stdout.trim();
}

test("the same bytes are answered over HTTPS, to curl, and verified by the same client", async (t) => {
  needOutsidePrograms(t);
  const [request, answer] = [fileNamed("https.request"), fileNamed("https.answer")];
  await python("request", request);

  const status = await curl(request, answer);
  const verdict: Verdict = await python("verify", request, answer, "0", ...pins);

  assert.equal(status, "200");
  assert.equal(verdict.refused, undefined);
});

test("a recorded answer, and a root that is not pinned, are refused by the client of the document", async (t) => {
  needOutsidePrograms(t);
  const [first, second, answer] = [fileNamed("1.request"), fileNamed("2.request"), fileNamed("1.answer")];
  await python("request", first);
  await python("request", second);
  await curl(first, answer);

  const replayed: Verdict = await python("verify", second, answer, "0", ...pins);
  const strange: Verdict = await python("verify", first, answer, "0", pins[1] ?? "");
  const slow: Verdict = await python("verify", first, answer, "8001", ...pins);

  assert.deepEqual([replayed.refused, strange.refused, slow.refused], ["nonce", "root", "uncertain"]);
});

/** A request put together here, from the document. */
function requestOf(nonceByte: number): Buffer {
  const request = Buffer.alloc(293);
  request.write("mayfly-time-request-v1\0", "latin1");
  request.fill(nonceByte, 23, 55);
  return request;
}

/** A socket with an address of its own on the loopback network: a source of its own to the bridge. */
async function openSource(t: TestContext, address: string): Promise<Socket> {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, address);
  await once(socket, "listening");
  return socket;
}

async function ask(socket: Socket, nonceByte: number): Promise<Buffer> {
  const answer = once(socket, "message") as Promise<[Buffer]>;
  socket.send(requestOf(nonceByte), timePort(), "127.0.0.1");
  return (await answer)[0];
}

test("short, long and foreign datagrams are met with silence, and the next request is answered", async (t) => {
  const source = await openSource(t, "127.0.0.2");
  let received = 0;
  source.on("message", () => {
    received += 1;
  });

  const nonsense = [
    requestOf(1).subarray(0, 292),
    Buffer.concat([requestOf(1), Buffer.alloc(1)]),
    Buffer.alloc(293),
  ];
  for (const bytes of nonsense) source.send(bytes, timePort(), "127.0.0.1");
  const answer = await ask(source, 7);

  assert.equal(received, 1);
  assert.deepEqual(answer.subarray(15, 47), Buffer.alloc(32, 7));
});

test("a flood from one source is answered within its share, never with more bytes, and another is answered", async (t) => {
  const flooder = await openSource(t, "127.0.0.3");
  const honest = await openSource(t, "127.0.0.4");
  const answers: Buffer[] = [];
  flooder.on("message", (answer: Buffer) => answers.push(answer));
  const startMs = performance.now();

  for (let sent = 0; sent < 500; sent++) {
    flooder.send(requestOf(3), timePort(), "127.0.0.1");
    // The datagrams of one source are read in order, so this one's answer tells that the bridge has kept up.
    if (sent % 50 === 49) await ask(honest, 4);
  }
  await ask(honest, 5);

  const seconds = (performance.now() - startMs) / 1000;
  t.diagnostic(`${answers.length} answers to 500 requests in ${seconds.toFixed(2)} s`);
  assert.ok(answers.length >= 32 && answers.length <= 32 + 2 * seconds + 1, `${answers.length} answers`);
  assert.ok(answers.every(({ length }) => length === 293));
});

test("the metrics count what was asked, and tell what is left of the delegation", async (t) => {
  requireService(t, "curl");
  const { stdout } = await run("curl", [
    ...["--silent", "--cacert", bridge.endpoints.ca, `${bridge.endpoints.admin}/metrics`],
  ]);

  const left = Number(/^mayfly_time_delegation_left_seconds (\S+)$/m.exec(stdout)?.[1]);
  assert.ok(left > 6.9 * 86_400 && left < 7 * 86_400, String(left));
  assert.match(stdout, /^mayfly_time_requests_total\{way="udp",outcome="rate_limited"\} \d+$/m);
  assert.match(stdout, /^mayfly_time_requests_total\{way="udp",outcome="request_malformed"\} 3$/m);
});

test("a bridge that nobody gave a key says so over HTTPS", async (t) => {
  needOutsidePrograms(t);
  const other = new BridgeProcess();
  t.after(() => other.end());
  await other.start();
  const request = fileNamed("keyless.request");
  await python("request", request);

  const { stdout } = await run("curl", [
    ...["--silent", "--cacert", other.endpoints.ca, "--data-binary", `@${request}`, "--output", "/dev/null"],
    ...[
      "--write-out",
      "%{http_code} %header{mayfly-refusal}",
      `${other.endpoints.deviceHttps}/mayfly/v1/time`,
    ],
  ]);

  assert.equal(stdout.trim(), "503 delegation_missing");
});
