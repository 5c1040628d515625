import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../test/provisioning-data.ts";
import {
  type CompressedCertificate,
  dateVersion,
  decodeCompressedCertificate,
  encodeCompressedCertificate,
  type SerialNumberSource,
  serialNumberSources,
} from "./compressed-certificate.ts";
import { padPublicKey, unpadPublicKey } from "./padded-public-key.ts";
import { ProvisioningError, type ProvisioningErrorCode } from "./provisioning-error.ts";

const example: CompressedCertificate = {
  signature: new Uint8Array(64).fill(0x5a),
  notBefore: { year: 2024, month: 1, day: 15, hour: 17 },
  validYears: 28,
  signerId: 0x12ab,
  templateId: 3,
  chainId: 0,
  serialNumberSource: "publicKeyHash",
  version: 0,
};

const refused = (code: ProvisioningErrorCode) => (error: unknown) =>
  error instanceof ProvisioningError && error.code === code;

test("the reference's dates encode to C0 BE 3C, and the numbers behind them", () => {
  assert.deepEqual(encodeCompressedCertificate(example).slice(64), bytesOf("C0 BE 3C 12 AB 30 A0 00"));
});

test("the extended version puts the high bits of both years into byte 71", () => {
  const extended = encodeCompressedCertificate({
    ...example,
    version: 1,
    notBefore: { ...example.notBefore, year: 2000 + 64 + 24 },
    validYears: 32 + 28,
  });

  assert.deepEqual(extended.slice(64), bytesOf("C0 BE 3C 12 AB 30 A1 90"));
});

const certificates = fc
  .record({
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
    notBefore: fc.record(
      {
        year: fc.integer({ min: 2000, max: 2127 }),
        month: fc.integer({ min: 1, max: 12 }),
        day: fc.integer({ min: 1, max: 28 }),
        hour: fc.integer({ min: 0, max: 23 }),
      },
      { noNullPrototype: true },
    ),
    validYears: fc.integer({ min: 0, max: 127 }),
    signerId: fc.integer({ min: 0, max: 0xffff }),
    templateId: fc.integer({ min: 0, max: 15 }),
    chainId: fc.integer({ min: 0, max: 15 }),
    serialNumberSource: fc.constantFrom(...(Object.keys(serialNumberSources) as SerialNumberSource[])),
  })
  .map((fields) => ({ ...fields, version: dateVersion(fields.notBefore, fields.validYears) }));

test("every certificate decodes to what it was made of", () => {
  fc.assert(
    fc.property(certificates, (certificate) => {
      assert.deepEqual(decodeCompressedCertificate(encodeCompressedCertificate(certificate)), certificate);
    }),
  );
});

test("72 bytes either encode back to themselves or are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 72, maxLength: 72 }), (bytes) => {
      try {
        assert.deepEqual(encodeCompressedCertificate(decodeCompressedCertificate(bytes)), bytes);
      } catch (error) {
        assert.ok(refused("certificate_malformed")(error), String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test("every truncation is refused", () => {
  const bytes = encodeCompressedCertificate(example);
  for (let length = 0; length < 72; length++) {
    assert.throws(
      () => decodeCompressedCertificate(bytes.slice(0, length)),
      refused("certificate_malformed"),
    );
  }
});

const unrepresentable: readonly { why: string; changes: Partial<CompressedCertificate> }[] = [
  { why: "begins before 2000", changes: { notBefore: { ...example.notBefore, year: 1999 } } },
  { why: "begins after 2031 in version 0", changes: { notBefore: { ...example.notBefore, year: 2032 } } },
  { why: "lives 32 years in version 0", changes: { validYears: 32 } },
  { why: "begins on 31 April", changes: { notBefore: { ...example.notBefore, month: 4, day: 31 } } },
  { why: "begins on 29 February 2023", changes: { notBefore: { year: 2023, month: 2, day: 29, hour: 0 } } },
  {
    why: "would end on 29 February 2025",
    changes: { notBefore: { year: 2024, month: 2, day: 29, hour: 0 }, validYears: 1 },
  },
  { why: "begins at hour 24", changes: { notBefore: { ...example.notBefore, hour: 24 } } },
  { why: "has a signature of 63 bytes", changes: { signature: new Uint8Array(63) } },
  { why: "has a signer id of three bytes", changes: { signerId: 0x10000 } },
  { why: "has a template id of five bits", changes: { templateId: 16 } },
];
for (const { why, changes } of unrepresentable) {
  test(`a certificate that ${why} cannot be compressed`, () => {
    assert.throws(
      () => encodeCompressedCertificate({ ...example, ...changes }),
      refused("certificate_unrepresentable"),
    );
  });
}

test("29 February can begin a certificate that ends on one", () => {
  const leap = { ...example, notBefore: { year: 2024, month: 2, day: 29, hour: 0 }, validYears: 28 };

  assert.deepEqual(decodeCompressedCertificate(encodeCompressedCertificate(leap)), leap);
});

test("deprecated serial number sources and unknown versions are refused", () => {
  for (const byte of [0x10, 0xc0, 0xd0, 0xe0, 0xf0, 0xa3]) {
    const bytes = encodeCompressedCertificate(example);
    bytes[70] = byte;

    assert.throws(() => decodeCompressedCertificate(bytes), refused("certificate_malformed"));
  }
});

test("a public key survives its slot, and padding that is not zero is refused", () => {
  const key = Uint8Array.from({ length: 64 }, (_, i) => i + 1);
  const padded = padPublicKey(key);

  assert.deepEqual(padded.slice(0, 8), bytesOf("00 00 00 00 01 02 03 04"));
  assert.deepEqual(unpadPublicKey(padded), key);
  padded[36] = 1;
  assert.throws(() => unpadPublicKey(padded), refused("certificate_malformed"));
});
