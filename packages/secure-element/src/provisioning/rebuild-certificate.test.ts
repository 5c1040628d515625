/**
 * Certificates rebuilt from 72 bytes are judged by two who know nothing of us: `node:crypto` and `openssl verify`.
 * The template is a sample that openssl made.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { bytesOf } from "../../test/provisioning-data.ts";
import { readCertificateTemplate } from "./certificate-template.ts";
import {
  type CompressedCertificate,
  decodeCompressedCertificate,
  encodeCompressedCertificate,
  type SerialNumberSource,
} from "./compressed-certificate.ts";
import { encodeDerSignature } from "./der.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import {
  buildTbsCertificate,
  type CertificateFacts,
  type CertificateHashes,
  rebuildCertificate,
  type UnsignedCertificate,
} from "./rebuild-certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-certificate-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const;

/** A self-signed signer certificate with its key in `name`.key. */
function makeSigner(name: string, commonName: string): void {
  const output = ["-keyout", `${name}.key`, "-out", `${name}.pem`] as const;
  const content = [
    "-subj",
    `/O=Mayfly/CN=${commonName}`,
    "-addext",
    "keyUsage=critical,keyCertSign",
  ] as const;
  openssl("req", "-x509", ...ecKey, ...output, ...content, "-days", "365");
}

/** DER of a device certificate that ends `days` from today. */
function makeSample(days: number): Uint8Array {
  openssl("req", ...ecKey, "-keyout", "d.key", "-out", "d.csr", "-subj", "/O=Mayfly/CN=sn0000000000000000EE");
  writeFileSync(
    join(folder, "d.cnf"),
    "basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
  );
  const serial = `0x4${"1".repeat(31)}`;
  const lifetime = ["-days", String(days), "-set_serial", serial, "-extfile", "d.cnf", "-outform", "DER"];
  openssl(
    "x509",
    "-req",
    "-in",
    "d.csr",
    "-CA",
    "sample.pem",
    "-CAkey",
    "sample.key",
    ...lifetime,
    "-out",
    "d.der",
  );
  return new Uint8Array(readFileSync(join(folder, "d.der")));
}

makeSigner("sample", "Mayfly Signer FFFF");
makeSigner("signer", "Mayfly Signer 12AB");
const marks = { signerId: "issuer", custom: { serialText: Buffer.from("0000000000000000EE") } } as const;
const template = readCertificateTemplate(makeSample(28 * 366), marks);
const shortTemplate = readCertificateTemplate(makeSample(365), marks);

const hashes: CertificateHashes = {
  sha1: (bytes) => new Uint8Array(createHash("sha1").update(bytes).digest()),
  sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
};
const signerKey = createPrivateKey(readFileSync(join(folder, "signer.key")));
const signerCertificate = new X509Certificate(readFileSync(join(folder, "signer.pem")));
const device = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const chipSerialNumber = bytesOf("01 23 7A 1B 4D 2E 3C 91 EE");

function rawKey(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: "spki", format: "der" }).subarray(-64));
}

const facts: CertificateFacts = {
  publicKey: rawKey(device.publicKey),
  issuerPublicKey: rawKey(signerCertificate.publicKey),
  chipSerialNumber,
  custom: { serialText: Buffer.from(Buffer.from(chipSerialNumber).toString("hex").toUpperCase()) },
};

const unsigned: UnsignedCertificate = {
  notBefore: { year: 2024, month: 1, day: 15, hour: 17 },
  validYears: 28,
  signerId: 0x12ab,
  templateId: 3,
  chainId: 0,
  serialNumberSource: "publicKeyHash",
  version: 0,
};

/** Signs as a CA would, and sends the result through its 72 bytes. */
function issue(
  changes: Partial<UnsignedCertificate> = {},
  more: Partial<CertificateFacts> = {},
  base = template,
) {
  const wanted = { ...unsigned, ...changes };
  const known = { ...facts, ...more };
  const tbs = buildTbsCertificate(wanted, base, known, hashes);
  const signature = new Uint8Array(sign("sha256", tbs, { key: signerKey, dsaEncoding: "ieee-p1363" }));
  const compressed: CompressedCertificate = { ...wanted, signature };
  const stored = decodeCompressedCertificate(encodeCompressedCertificate(compressed));
  return rebuildCertificate(stored, base, known, hashes);
}

function assertVerifies(der: Uint8Array): X509Certificate {
  const certificate = new X509Certificate(der);
  writeFileSync(join(folder, "rebuilt.pem"), certificate.toString());
  assert.ok(certificate.verify(signerCertificate.publicKey), "node:crypto verifies the signature");
  assert.ok(certificate.checkIssued(signerCertificate), "names and key identifiers lead to the issuer");
  openssl("verify", "-x509_strict", "-CAfile", "signer.pem", "rebuilt.pem");
  return certificate;
}

test("a rebuilt certificate is verified by node:crypto and by openssl, and says what was meant", () => {
  const certificate = assertVerifies(issue());

  assert.equal(certificate.subject, "O=Mayfly\nCN=sn01237A1B4D2E3C91EE");
  assert.equal(certificate.issuer, "O=Mayfly\nCN=Mayfly Signer 12AB");
  assert.equal(certificate.validFrom, "Jan 15 17:00:00 2024 GMT");
  assert.equal(certificate.validTo, "Jan 15 17:00:00 2052 GMT");
  assert.deepEqual(rawKey(certificate.publicKey), facts.publicKey);
});

const stored = bytesOf("11 22 33 44 55");
const sources: readonly { source: SerialNumberSource; more?: Partial<CertificateFacts>; serial: string }[] = [
  { source: "stored", more: { storedSerialNumber: stored }, serial: "1122334455" },
  {
    source: "storedWithLength",
    more: { storedSerialNumber: Uint8Array.from([5, ...stored, 0, 0]) },
    serial: "1122334455",
  },
  { source: "deviceSerial", serial: "4001237A1B4D2E3C91EE" },
  { source: "signerId", serial: "4012AB" },
  { source: "publicKeyHash", serial: hashedSerial(facts.publicKey) },
  { source: "deviceSerialHash", serial: hashedSerial(chipSerialNumber) },
];

function hashedSerial(seed: Uint8Array, ...extended: readonly number[]): string {
  const hash = createHash("sha256")
    .update(seed)
    .update(bytesOf("C0 BE 3C"))
    .update(Buffer.from(extended))
    .digest();
  const serial = hash.subarray(0, 16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial.toString("hex").toUpperCase();
}

for (const { source, more, serial } of sources) {
  test(`the serial number from source ${source} is ${serial.length / 2} bytes, and verifies`, () => {
    const certificate = assertVerifies(issue({ serialNumberSource: source }, more));

    assert.equal(certificate.serialNumber, serial);
  });
}

test("in version 1 the serial number hashes byte 71 too", () => {
  const certificate = assertVerifies(issue({ version: 1 }));

  assert.equal(certificate.serialNumber, hashedSerial(facts.publicKey, 0));
});

test("a validity of more than 31 years needs version 1, and verifies", () => {
  const certificate = assertVerifies(issue({ version: 1, validYears: 60 }));

  assert.equal(certificate.validTo, "Jan 15 17:00:00 2084 GMT");
});

test("0 years mean no expiry: the year 9999", () => {
  assert.equal(assertVerifies(issue({ validYears: 0 })).validTo, "Dec 31 23:59:59 9999 GMT");
});

test("a template with a UTCTime takes ends through 2049, and no later", () => {
  assert.equal(
    assertVerifies(issue({ validYears: 25 }, {}, shortTemplate)).validTo,
    "Jan 15 17:00:00 2049 GMT",
  );
  for (const validYears of [0, 26]) {
    assert.throws(
      () => issue({ validYears }, {}, shortTemplate),
      (error) => error instanceof ProvisioningError && error.code === "certificate_unrepresentable",
    );
  }
});

test("twenty certificates in a row verify, whatever the lengths of their R and S", () => {
  for (let i = 0; i < 20; i++) {
    assert.ok(new X509Certificate(issue()).verify(signerCertificate.publicKey));
  }
});

test("R and S become minimal positive INTEGERs", () => {
  const signature = new Uint8Array(64);
  signature[31] = 0x7f;
  signature[32] = 0x80;

  const der = encodeDerSignature(signature);

  assert.deepEqual(der, bytesOf(`30 26 02 01 7F 02 21 00 80 ${"00".repeat(31)}`));
});

test("the reference's signature becomes its 72 bytes of DER", () => {
  const signature = bytesOf(`
    EF D4 8B 2A AC B6 A8 FD 11 40 DD 9C D4 5E 81 D6 9D 2C 87 7B 56 AA F9 91 C3 4D 0E A8 4E AF 37 16
    F7 CB 1C 94 2D 65 7C 41 D4 36 C7 A1 B6 E2 9F 65 F3 E9 00 DB B9 AF F4 06 4D C4 AB 2F 84 3A CD A8`);

  const der = encodeDerSignature(signature);

  assert.equal(der.length, 72);
  assert.equal(Buffer.from(der.slice(0, 8)).toString("hex"), "3046022100efd48b");
});

const misfits: readonly {
  why: string;
  changes?: Partial<UnsignedCertificate>;
  more: Partial<CertificateFacts>;
}[] = [
  { why: "a custom text of another length", more: { custom: { serialText: Buffer.from("01") } } },
  { why: "no custom text", more: { custom: {} } },
  { why: "a public key of 63 bytes", more: { publicKey: new Uint8Array(63) } },
  { why: "no stored serial number", changes: { serialNumberSource: "stored" }, more: {} },
  {
    why: "a negative serial number",
    changes: { serialNumberSource: "stored" },
    more: { storedSerialNumber: bytesOf("80") },
  },
  {
    why: "a serial number of 21 bytes",
    changes: { serialNumberSource: "stored" },
    more: { storedSerialNumber: new Uint8Array(21).fill(1) },
  },
  {
    why: "a length byte beyond what is stored",
    changes: { serialNumberSource: "storedWithLength" },
    more: { storedSerialNumber: bytesOf("05 11") },
  },
];
for (const { why, changes, more } of misfits) {
  test(`nothing is built with ${why}`, () => {
    assert.throws(
      () => issue(changes, more),
      (error) => error instanceof ProvisioningError && error.code === "certificate_unrepresentable",
    );
  });
}

test("a sample that is cut anywhere, or is no certificate, is refused with a typed error", () => {
  const sample = makeSample(365);
  for (let length = 0; length < sample.length; length += 7) {
    assert.throws(() => readCertificateTemplate(sample.slice(0, length), marks), ProvisioningError);
  }
  assert.throws(() => readCertificateTemplate(sample, { signerId: "subject" }), ProvisioningError);
  assert.throws(
    () => readCertificateTemplate(sample, { custom: { absent: Buffer.from("not there") } }),
    ProvisioningError,
  );
});
