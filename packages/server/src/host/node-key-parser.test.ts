import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { KeyParseError, type KeyParseErrorCode } from "../registry/key-parser.ts";
import type { PublicKeyFormat } from "../registry/model.ts";
import { createNodeKeyParser, PEM_BYTES_MAX } from "./node-key-parser.ts";

const parser = createNodeKeyParser();
const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const spki = (key: KeyObject) => key.export({ type: "spki", format: "pem" }) as string;
const pemOf = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString("base64").replaceAll(/(.{64})/g, "$1\n")}\n-----END ${label}-----\n`;

test("a P-256 and an RSA key are read, and named by the SHA-256 of their SubjectPublicKeyInfo", () => {
  const es256 = parser.parseKey("ES256_PEM", spki(ec.publicKey));
  const rs256 = parser.parseKey("RSA_PEM", spki(rsa.publicKey));

  const digest = (key: KeyObject) =>
    createHash("sha256")
      .update(key.export({ type: "spki", format: "der" }))
      .digest("hex");
  assert.deepEqual(es256, { alg: "ES256", fingerprint: digest(ec.publicKey) });
  assert.deepEqual(rs256, { alg: "RS256", fingerprint: digest(rsa.publicKey) });
});

test("line endings and blanks around a PEM do not matter", () => {
  const parsed = parser.parseKey("ES256_PEM", `\r\n${spki(ec.publicKey).replaceAll("\n", "\r\n")}  `);

  assert.equal(parsed.alg, "ES256");
});

const spkiDer = ec.publicKey.export({ type: "spki", format: "der" });
const point = spkiDer.subarray(26);
const compressed = Buffer.concat([
  Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
  Buffer.from([2 + ((point[64] ?? 0) & 1)]),
  point.subarray(1, 33),
]);

const refusals: readonly (readonly [string, PublicKeyFormat, string, KeyParseErrorCode])[] = [
  [
    "a private EC key",
    "ES256_PEM",
    ec.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    "key_private",
  ],
  [
    "a private RSA key",
    "RSA_PEM",
    rsa.privateKey.export({ type: "pkcs1", format: "pem" }) as string,
    "key_private",
  ],
  [
    "an encrypted private key",
    "ES256_PEM",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
    "key_private",
  ],
  [
    "a public key followed by the private one",
    "ES256_PEM",
    spki(ec.publicKey) + (ec.privateKey.export({ type: "sec1", format: "pem" }) as string),
    "key_private",
  ],
  [
    "PKCS#1 under its own label",
    "RSA_PEM",
    rsa.publicKey.export({ type: "pkcs1", format: "pem" }) as string,
    "key_format_mismatch",
  ],
  [
    "PKCS#1 in a PUBLIC KEY block",
    "RSA_PEM",
    pemOf("PUBLIC KEY", rsa.publicKey.export({ type: "pkcs1", format: "der" })),
    "key_pem_malformed",
  ],
  ["RSA where EC is said", "ES256_PEM", spki(rsa.publicKey), "key_type_unsupported"],
  ["EC where RSA is said", "RSA_PEM", spki(ec.publicKey), "key_type_unsupported"],
  [
    "P-384",
    "ES256_PEM",
    spki(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).publicKey),
    "key_type_unsupported",
  ],
  [
    "secp256k1",
    "ES256_PEM",
    spki(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey),
    "key_type_unsupported",
  ],
  ["Ed25519", "ES256_PEM", spki(generateKeyPairSync("ed25519").publicKey), "key_type_unsupported"],
  ["a compressed point", "ES256_PEM", pemOf("PUBLIC KEY", compressed), "key_type_unsupported"],
  [
    "RSA of 1024 bits",
    "RSA_PEM",
    spki(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey),
    "key_too_small",
  ],
  [
    "bytes behind the key",
    "ES256_PEM",
    pemOf("PUBLIC KEY", Buffer.concat([spkiDer, Buffer.from([0])])),
    "key_pem_malformed",
  ],
  ["two keys", "ES256_PEM", spki(ec.publicKey) + spki(ec.publicKey), "key_pem_malformed"],
  ["a raw key where a certificate is said", "ES256_X509_PEM", spki(ec.publicKey), "key_format_mismatch"],
  [
    "a certificate of nonsense",
    "ES256_X509_PEM",
    pemOf("CERTIFICATE", Buffer.from("nonsense")),
    "certificate_malformed",
  ],
  ["nothing", "ES256_PEM", "", "key_pem_malformed"],
  ["more than 16 KiB", "ES256_PEM", "x".repeat(PEM_BYTES_MAX + 1), "key_too_large"],
];

for (const [what, format, pem, code] of refusals) {
  test(`${what} is refused as ${code} and not quoted`, () => {
    assert.throws(
      () => parser.parseKey(format, pem),
      (error) => error instanceof KeyParseError && error.code === code && !error.message.includes("MII"),
    );
  });
}

test("no text makes it throw anything but its own error", () => {
  const formats = fc.constantFrom<PublicKeyFormat>("RSA_PEM", "RSA_X509_PEM", "ES256_PEM", "ES256_X509_PEM");
  const labels = fc.constantFrom("PUBLIC KEY", "CERTIFICATE");
  const texts = fc.oneof(
    fc.string(),
    fc.tuple(labels, fc.uint8Array({ maxLength: 200 })).map(([label, der]) => pemOf(label, Buffer.from(der))),
    fc.tuple(fc.nat({ max: spkiDer.length - 1 }), fc.nat({ max: 255 })).map(([at, value]) => {
      const der = Buffer.from(spkiDer);
      der[at] = value;
      return pemOf("PUBLIC KEY", der);
    }),
  );

  fc.assert(
    fc.property(formats, texts, (format, text) => {
      try {
        parser.parseKey(format, text);
      } catch (error) {
        assert.ok(error instanceof KeyParseError);
      }
    }),
    { numRuns: 300 },
  );
});

function openssl(...args: readonly string[]): string {
  return execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] }).toString();
}

test("a certificate gives its key and notAfter, and whether an authority issued it", (t) => {
  try {
    openssl("version");
  } catch {
    t.skip("openssl is not installed");
    return;
  }
  const selfSigned = (name: string) =>
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      "/dev/null",
      "-subj",
      `/CN=${name}`,
      "-days",
      "30",
    );
  const mine = selfSigned("device");
  const other = selfSigned("device");

  const key = parser.parseKey("ES256_X509_PEM", mine);
  const certificate = parser.parseCertificate(mine);

  assert.equal(key.notAfterSeconds, certificate.notAfterSeconds);
  assert.equal(certificate.notAfterSeconds - certificate.notBeforeSeconds, 30 * 86_400);
  assert.deepEqual([certificate.subject, certificate.publicKeyType], ["CN=device", "EC"]);
  assert.deepEqual([parser.isIssuedBy(mine, mine), parser.isIssuedBy(mine, other)], [true, false]);
});
