/**
 * Cloud IoT Core's contract, section 4.1, the way to the MQTT bridge: what openssl and mosquitto see of ports and TLS,
 * on a bridge that also has a further port and an RSA chain.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import { clientIdentifier } from "../process/bridge-process.ts";
import { ContractHouse } from "./contract-house.ts";

const execute = promisify(execFile);
let folder: string;
let rsaCert: string;
let house: ContractHouse;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "mayfly-rsa-"));
  rsaCert = join(folder, "rsa.pem");
  const rsaKey = join(folder, "rsa.key.pem");
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost", "-keyout", rsaKey, "-out", rsaCert],
    ],
    { stdio: "pipe" },
  );
  house = await ContractHouse.start(
    ...[
      "--mqtt-listen",
      "0",
      "--mqtt-listen",
      "127.0.0.1:0",
      "--tls-rsa-cert",
      rsaCert,
      "--tls-rsa-key",
      rsaKey,
    ],
  );
});
after(async () => {
  await house.end();
  rmSync(folder, { recursive: true });
});

/** Ports of the MQTT bridge, its own first. */
function ports(): readonly number[] {
  const { mqtts, mqttsFurther } = house.bridge.endpoints;
  return [mqtts, ...mqttsFurther].map((address) => Number(address.slice(address.lastIndexOf(":") + 1)));
}

/** What `openssl s_client` prints of a handshake, and how it ended. */
function handshake(
  ...flags: readonly string[]
): Promise<{ readonly code: number; readonly printed: string }> {
  const client = spawn("openssl", [
    ...["s_client", "-connect", `localhost:${house.bridge.port}`, "-CAfile", house.bridge.endpoints.ca],
    ...["-showcerts", "-verify_return_error", ...flags],
  ]);
  client.stdin.end("Q\n");
  let printed = "";
  for (const stream of [client.stdout, client.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  return new Promise((resolve) => client.once("close", (code) => resolve({ code: code ?? 1, printed })));
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  for (const [what, flags] of [
    ["no server name", ["-noservername"]],
    ["an unknown server name", ["-servername", "mqtt.2030.ltsapis.goog"]],
    ["the server's name", ["-servername", "localhost"]],
  ] as const) {
    test(`a client that sends ${what} over ${version.slice(1)} gets the certificate for the host, one of P-256`, async () => {
      const { code, printed } = await handshake(version, ...flags, "-verify_hostname", "localhost");

      assert.equal(code, 0, printed);
      assert.match(printed, /Verification: OK/);
      assert.match(printed, /Verified peername: localhost/);
      assert.match(printed, /a:PKEY: id-ecPublicKey, 256 \(bit\); sigalg: ecdsa-with-SHA256/);
      assert.equal(printed.match(/-----BEGIN CERTIFICATE-----/g)?.length, 1);
    });
  }
}

test("the server's whole chain is under 1 KB, and so are the two roots that devices keep", async () => {
  const { printed } = await handshake();
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(printed)?.[0] ?? "";
  const derBytes = (text: string) =>
    [...text.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].reduce(
      (sum, [, base64 = ""]) => sum + Buffer.from(base64, "base64").length,
      0,
    );

  assert.ok(derBytes(pem) > 300 && derBytes(pem) < 1024, `${derBytes(pem)}`);
  const roots = derBytes(readFileSync(house.bridge.endpoints.ca, "utf8"));
  assert.ok(roots > 600 && roots < 1024, `${roots}`);
});

test("no client certificate is asked for", async () => {
  const { printed } = await handshake("-tls1_2");

  assert.match(printed, /No client certificate CA names sent/);
});

test("TLS 1.1 is refused", async () => {
  const { code, printed } = await handshake("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0");

  assert.notEqual(code, 0);
  assert.match(printed, /Cipher is \(NONE\)/);
});

for (const cipher of [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
]) {
  test(`a stack that offers ${cipher} alone is served`, async () => {
    const { code, printed } = await handshake("-tls1_2", "-cipher", cipher);

    assert.equal(code, 0, printed);
    assert.ok(printed.includes(`Cipher is ${cipher}`), printed);
  });
}

for (const cipher of [
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-CHACHA20-POLY1305",
]) {
  test(`a stack that offers ${cipher} alone gets the RSA chain`, async () => {
    const { code, printed } = await handshake(
      ...["-tls1_2", "-cipher", cipher, "-CAfile", rsaCert, "-verify_hostname", "localhost"],
    );

    assert.equal(code, 0, printed);
    assert.ok(printed.includes(`Cipher is ${cipher}`), printed);
    assert.match(printed, /a:PKEY: rsaEncryption, 2048 \(bit\)/);
  });
}

test("mosquitto_pub publishes at each port of the bridge", async (t) => {
  requireService(t, "mosquitto_pub");
  const listened = ports();
  for (const [index, port] of listened.entries()) {
    await house.device(`port-${index}`);
    await execute("mosquitto_pub", [
      // The last port was asked for on 127.0.0.1 alone.
      ...["-h", index === 2 ? "127.0.0.1" : "localhost", "-p", String(port)],
      ...["--cafile", house.bridge.endpoints.ca, "-i", clientIdentifier(`port-${index}`), "-u", "unused"],
      ...["-P", house.token(), "-t", `/devices/port-${index}/events`, "-q", "1", "-m", `port ${index}`],
    ]);
  }

  const delivered = await house.bridge.pull();

  assert.equal(new Set(listened).size, 3);
  assert.deepEqual(delivered.map(({ text }) => text).toSorted(), ["port 0", "port 1", "port 2"]);
});

test("raw TLS is all there is at the port: neither WebSocket nor plain MQTT is answered", async () => {
  const upgrade = await execute("curl", [
    ...["--silent", "--max-time", "10", "--cacert", house.bridge.endpoints.ca, "--http1.1"],
    ...["--header", "upgrade: websocket", "--header", "connection: upgrade"],
    `https://localhost:${house.bridge.port}/mqtt`,
  ]).catch((error: { readonly code: number }) => error.code);

  // 52: the server closed and said nothing.
  assert.equal(upgrade, 52);
});
