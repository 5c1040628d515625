import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { addRsaChain, openServerIdentity, readServerIdentity, renewalDueMillis } from "./server-identity.ts";

const folders: string[] = [];
const start = Date.UTC(2026, 10, 23);
const day = 86_400_000;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "mayfly-identity-"));
  folders.push(made);
  return made;
}

function open(base: string, nowMs = start, hostNames = ["localhost", "127.0.0.1"]) {
  return openServerIdentity({
    folder: join(base, "identity"),
    caFile: join(base, "ca.pem"),
    hostNames,
    nowMs,
  });
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

test("openssl verifies the server's certificate against the roots in the ca file, by name and by address", async () => {
  const base = folder();

  await open(base);

  for (const name of [
    ["-verify_hostname", "localhost"],
    ["-verify_ip", "127.0.0.1"],
  ]) {
    const verdict = execFileSync("openssl", [
      "verify",
      "-x509_strict",
      "-purpose",
      "sslserver",
      ...name,
      "-attime",
      String(start / 1000),
      "-CAfile",
      join(base, "ca.pem"),
      join(base, "identity", "server.pem"),
    ]);
    assert.match(verdict.toString(), /: OK/);
  }
});

test("the ca file carries two different P-256 roots from the first day", async () => {
  const base = folder();

  await open(base);

  const roots = readFileSync(join(base, "ca.pem"), "utf8")
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter(Boolean);
  assert.equal(roots.length, 2);
  const keys = roots.map((pem) => new X509Certificate(pem).publicKey);
  assert.deepEqual(
    keys.map((key) => key.asymmetricKeyDetails?.namedCurve),
    ["prime256v1", "prime256v1"],
  );
  assert.equal(keys[0]?.equals(keys[1] ?? keys[0]), false);
});

test("the second root's key can be read with its passphrase only", async () => {
  const base = folder();

  await open(base);

  const sealed = readFileSync(join(base, "identity", "carry-away", "root-2.key.pem"), "utf8");
  const passphrase = readFileSync(join(base, "identity", "carry-away", "root-2.passphrase"), "utf8").trim();
  assert.throws(() => createPrivateKey({ key: sealed, passphrase: "guess" }));
  const key = createPrivateKey({ key: sealed, passphrase });
  const root = new X509Certificate(readFileSync(join(base, "identity", "root-2.pem")));
  assert.equal(root.checkPrivateKey(key), true);
});

test("an identity opened again is the same identity", async () => {
  const base = folder();

  const first = await open(base);
  const second = await open(base, start + 10 * day);

  assert.equal(second.cert, first.cert);
});

test("a certificate with 30 days left is renewed under the same roots", async () => {
  const base = folder();
  const first = await open(base);
  const ca = readFileSync(join(base, "ca.pem"), "utf8");

  const renewed = await open(base, start + 60 * day);

  assert.notEqual(renewed.cert, first.cert);
  assert.equal(readFileSync(join(base, "ca.pem"), "utf8"), ca);
  assert.equal(new X509Certificate(renewed.cert).validToDate.getTime(), start + 150 * day);
});

test("a new host name brings a new certificate", async () => {
  const base = folder();
  await open(base);

  const renewed = await open(base, start + day, ["localhost", "bridge.example"]);

  assert.equal(new X509Certificate(renewed.cert).checkHost("bridge.example"), "bridge.example");
});

test("keys are readable by their owner only", async () => {
  const base = folder();

  await open(base);

  for (const file of [
    "root-1.key.pem",
    "server.key.pem",
    "carry-away/root-2.key.pem",
    "carry-away/root-2.passphrase",
  ]) {
    assert.equal(statSync(join(base, "identity", file)).mode & 0o777, 0o600, file);
  }
});

test("an operator's key that does not fit the certificate is refused with both file names", async () => {
  const base = folder();
  const mine = await open(base);
  const other = await openServerIdentity({
    folder: join(base, "other"),
    caFile: join(base, "other.pem"),
    hostNames: ["localhost"],
    nowMs: start,
  });
  const certFile = join(base, "cert.pem");
  const keyFile = join(base, "key.pem");
  writeFileSync(certFile, mine.cert);
  writeFileSync(keyFile, other.key);

  const refusal = readServerIdentity({ certFile, keyFile });

  await assert.rejects(refusal, /key\.pem does not belong to the certificate in .*cert\.pem/);
});

test("renewal is due 30 days before the end, and is looked at once a day", () => {
  const identity = { cert: "", key: "", caFile: "", notAfterMs: start + 90 * day };

  assert.equal(renewalDueMillis(identity, start), day);
  assert.equal(renewalDueMillis(identity, start + 59.5 * day), day / 2);
  assert.equal(renewalDueMillis(identity, start + 75 * day), 0);
});

function selfSigned(base: string, name: string, ...keyFlags: readonly string[]) {
  const files = { certFile: join(base, `${name}.pem`), keyFile: join(base, `${name}.key.pem`) };
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-nodes", "-newkey", ...keyFlags, "-days", "30", "-subj", "/CN=localhost"],
      ...["-keyout", files.keyFile, "-out", files.certFile],
    ],
    { stdio: "pipe" },
  );
  return files;
}

test("an RSA chain stands beside the identity, and the one that ends first says when both are over", async () => {
  const base = folder();
  const identity = await open(base, Date.now());
  const files = selfSigned(base, "rsa", "rsa:2048");

  const both = await addRsaChain(identity, files);

  assert.equal(both.cert, identity.cert);
  assert.equal(both.rsa?.cert, readFileSync(files.certFile, "utf8"));
  assert.equal(both.notAfterMs, new X509Certificate(both.rsa?.cert ?? "").validToDate.getTime());
  assert.ok(both.notAfterMs < identity.notAfterMs);
});

for (const [what, ...keyFlags] of [
  ["RSA of 1024 bits", "rsa:1024"],
  ["RSA of 4104 bits", "rsa:4104", "-pkeyopt", "rsa_keygen_primes:4"],
  ["P-256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
] as const) {
  test(`an RSA chain whose key is ${what} is refused`, async () => {
    const base = folder();
    const identity = await open(base);

    const adding = addRsaChain(identity, selfSigned(base, "other", ...keyFlags));

    await assert.rejects(adding, /is not RSA of 2048 to 4096 bits/);
  });
}
