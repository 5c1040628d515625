/**
 * What an operator learns of those who came: tokens signed by openssl, brought by mosquitto and by Node's own fetch
 * over TLS, read with `mayfly device show`, `device auth-log` and the metrics.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier, location, project, registry } from "./bridge-process.ts";

const execute = promisify(execFile);
const bridge = new BridgeProcess();
const at = ["--location", location, "--registry", registry];
const keys = new Map<string, string>();

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
  for (const device of ["fern", "moss", "vine"]) keys.set(device, await bridge.createDevice(device));
});
after(() => bridge.end());

/** A token of an hour that `openssl` signed, issued so many seconds from now. */
function signedByOpenssl(device: string, issuedInSeconds: number): string {
  const iat = Math.floor(Date.now() / 1000) + issuedInSeconds;
  const input = [
    { alg: "ES256", typ: "JWT" },
    { aud: project, iat, exp: iat + 3_600 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const der = execFileSync("openssl", ["dgst", "-sha256", "-sign", keys.get(device) ?? ""], { input });
  return `${input}.${rawSignature(der).toString("base64url")}`;
}

/** SEQUENCE of two INTEGERs (RFC 3279 §2.2.3) to R‖S, 32 bytes each (RFC 7518 §3.4). */
function rawSignature(der: Buffer): Buffer {
  const rEnd = 4 + (der[3] ?? 0);
  const [r, s] = [der.subarray(4, rEnd), der.subarray(rEnd + 2)];
  return Buffer.concat([r, s].map((part) => Buffer.concat([Buffer.alloc(32), part]).subarray(-32)));
}

function publishByMosquitto(device: string, token: string, from = "127.0.0.1"): Promise<unknown> {
  return execute("mosquitto_pub", [
    ...["-h", "127.0.0.1", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca, "-A", from],
    ...["-i", clientIdentifier(device), "-u", "unused", "-P", token, "-q", "1"],
    ...["-t", `/devices/${device}/events`, "-m", "x"],
  ]);
}

function publishByHttps(device: string, token: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const url = `${bridge.endpoints.deviceHttps}/v1/${clientIdentifier(device)}:publishEvent`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    request(url, { method: "POST", headers, ca: readFileSync(bridge.endpoints.ca) }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode));
    })
      .once("error", reject)
      .end('{"binaryData":"eA=="}');
  });
}

interface Printed {
  readonly records: readonly Readonly<Record<string, unknown>>[];
  readonly clock?: { readonly offsetSeconds: number };
}

/** The log of a device, once it has that many records. They are written within 5 s; a look takes a process's start. */
async function logOf(device: string, records: number): Promise<Printed> {
  const until = performance.now() + 20_000;
  while (performance.now() < until) {
    const printed = JSON.parse(await bridge.must("device", "auth-log", device, ...at, "--json")) as Printed;
    if (printed.records.length >= records) return printed;
  }
  throw new Error(`${device} did not get ${records} records within 20 s`);
}

async function metric(line: RegExp): Promise<string | undefined> {
  const text = await new Promise<string>((resolve, reject) => {
    request(`${bridge.endpoints.admin}/metrics`, { ca: readFileSync(bridge.endpoints.ca) }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.once("end", () => resolve(body));
    })
      .once("error", reject)
      .end();
  });
  return line.exec(text)?.[1];
}

test("a device whose clock is behind is refused, and its page says why and by how much, with proof", async (t) => {
  requireService(t, "openssl");
  requireService(t, "mosquitto_pub");

  await assert.rejects(publishByMosquitto("fern", signedByOpenssl("fern", -7_500)));
  const { records, clock } = await logOf("fern", 1);
  const shown = await bridge.must("device", "show", "fern", ...at);

  const { offsetSeconds, ...record } = records[0] ?? {};
  assert.deepEqual(
    [record["outcome"], record["authenticity"], record["bridge"], record["purpose"], record["firstSeen"]],
    ["token_expired", "authentic", "mqtt", "connect", true],
  );
  assert.deepEqual([record["remoteAddress"], record["tlsVersion"]], ["127.0.0.1", "TLSv1.3"]);
  assert.ok(Math.abs(Number(offsetSeconds) + 7_500) < 30, String(offsetSeconds));
  assert.equal(clock?.offsetSeconds, offsetSeconds);
  assert.match(
    shown,
    /^refusal: +refused .+: the token had expired; its clock is 2 h 5 min behind \(authentic\)$/m,
  );
});

test("a request over HTTPS is recorded with its TLS, and the same token again is counted in one record", async (t) => {
  requireService(t, "openssl");
  const token = signedByOpenssl("moss", 0);

  const statuses = [await publishByHttps("moss", token), await publishByHttps("moss", token)];
  const { records } = await logOf("moss", 1);

  assert.deepEqual(statuses, [200, 200]);
  const [{ outcome, bridge: way, purpose, tlsVersion } = {}, ...others] = records;
  assert.deepEqual([outcome, way, purpose, tlsVersion], ["accepted", "http", "request", "TLSv1.3"]);
  assert.deepEqual(others, []);
  const counted = await metric(
    /^mayfly_authentications_total\{bridge="http",purpose="request",authenticity="authentic",outcome="accepted"\} (\d+)$/m,
  );
  assert.equal(counted, "2");
});

test("a key used from two networks in turn is alarmed once, and every message of it is taken", async (t) => {
  requireService(t, "openssl");
  requireService(t, "mosquitto_pub");

  for (let n = 0; n < 6; n += 1) {
    await publishByMosquitto("vine", signedByOpenssl("vine", -n), n % 2 === 0 ? "127.0.1.1" : "127.0.2.1");
  }
  const { records } = await logOf("vine", 7);

  const evidence = records.filter(({ kind }) => kind === "evidence");
  assert.deepEqual(
    evidence.map((one) => [one["evidence"], one["remoteAddresses"]]),
    [["shared_key", ["127.0.1.1", "127.0.2.1"]]],
  );
  assert.equal(await metric(/^mayfly_alarms_total\{kind="shared_key"\} (\d+)$/m), "1");
});

test("no file of the server holds a token, its signature or a hash of it", async (t) => {
  requireService(t, "openssl");
  const token = signedByOpenssl("moss", -5);
  await publishByHttps("moss", token);
  await logOf("moss", 2);
  await bridge.stop("SIGTERM");

  const hash = execFileSync("openssl", ["dgst", "-sha256", "-binary"], { input: token });
  const secrets = [
    token.slice(-86),
    token.slice(0, 60),
    hash.toString("base64url").slice(0, 22),
    hash.toString("hex"),
  ];
  const files = readdirSync(bridge.data, { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  for (const { parentPath, name } of files) {
    const bytes = readFileSync(join(parentPath, name));
    for (const secret of [...secrets, hash]) assert.ok(!bytes.includes(secret), name);
  }
  assert.ok(files.some(({ name }) => name === "registry.db"));
});
