/**
 * A whole certificate again, from its 72 bytes, a template and what chip and signer say (atecc608.md §4).
 *
 * The same function makes the bytes a CA signs and the bytes a reader rebuilds, so the two cannot differ. The serial
 * number goes in last: it may hash key and dates, and may have another length than the sample's.
 */
import type { CertificateTemplate, TemplateTime } from "./certificate-template.ts";
import { type CompressedCertificate, encodeDates, type IssueDate } from "./compressed-certificate.ts";
import { derTags, encodeDerSignature, encodeElement, readElement } from "./der.ts";
import { ProvisioningError } from "./provisioning-error.ts";

/** Hashes of the host, synchronous. */
export interface CertificateHashes {
  /** 20 bytes: key identifiers (RFC 5280 §4.2.1.2). */
  sha1(bytes: Uint8Array): Uint8Array;
  /** 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
}

export interface CertificateFacts {
  /** X‖Y of the certified key, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** X‖Y of the issuer's key; needed where the template has an authority key identifier. */
  readonly issuerPublicKey?: Uint8Array;
  /** The chip serial number, 9 bytes; needed for the sources made of it. */
  readonly chipSerialNumber?: Uint8Array;
  /** 1 to 20 bytes: for `stored`; for `storedWithLength` a length byte is in front of it. */
  readonly storedSerialNumber?: Uint8Array;
  /** Content of the template's custom elements, each as long as its place. */
  readonly custom?: Readonly<Record<string, Uint8Array>>;
}

/** What of a compressed certificate goes into the signed part. */
export type UnsignedCertificate = Omit<CompressedCertificate, "signature">;

/**
 * @returns TBSCertificate, DER: what the issuer signs.
 * @throws {ProvisioningError} `certificate_unrepresentable`: a fact is missing or does not fit the template.
 */
export function buildTbsCertificate(
  certificate: UnsignedCertificate,
  template: CertificateTemplate,
  facts: CertificateFacts,
  hashes: CertificateHashes,
): Uint8Array {
  const tbs = template.tbs.slice();
  tbs.set(sized("public key", facts.publicKey, 64), template.publicKeyAt);
  if (template.subjectKeyIdAt !== undefined) {
    tbs.set(keyIdentifier(facts.publicKey, hashes), template.subjectKeyIdAt);
  }
  if (template.authorityKeyIdAt !== undefined) {
    const issuerKey = sized("issuer's public key", facts.issuerPublicKey, 64);
    tbs.set(keyIdentifier(issuerKey, hashes), template.authorityKeyIdAt);
  }
  const { notBefore, validYears } = certificate;
  tbs.set(timeText(notBefore, template.notBefore), template.notBefore.at);
  tbs.set(endText(notBefore, validYears, template.notAfter), template.notAfter.at);
  if (template.signerIdAt !== undefined) {
    tbs.set(ascii(certificate.signerId.toString(16).toUpperCase().padStart(4, "0")), template.signerIdAt);
  }
  for (const [name, { at, bytes }] of Object.entries(template.custom)) {
    tbs.set(sized(name, facts.custom?.[name], bytes), at);
  }
  return withSerialNumber(tbs, template, serialNumberOf(certificate, template, facts, hashes));
}

/**
 * @returns Certificate, DER.
 * @throws {ProvisioningError} as {@link buildTbsCertificate}. The signature is not verified here.
 */
export function rebuildCertificate(
  certificate: CompressedCertificate,
  template: CertificateTemplate,
  facts: CertificateFacts,
  hashes: CertificateHashes,
): Uint8Array {
  const tbs = buildTbsCertificate(certificate, template, facts, hashes);
  const signature = encodeDerSignature(certificate.signature);
  return encodeElement(
    derTags.sequence,
    tbs,
    template.signatureAlgorithm,
    encodeElement(derTags.bitString, Uint8Array.of(0), signature),
  );
}

function keyIdentifier(publicKey: Uint8Array, hashes: CertificateHashes): Uint8Array {
  return hashes.sha1(Uint8Array.from([0x04, ...publicKey]));
}

/** Contents of the serial number INTEGER. */
function serialNumberOf(
  certificate: UnsignedCertificate,
  template: CertificateTemplate,
  facts: CertificateFacts,
  hashes: CertificateHashes,
): Uint8Array {
  switch (certificate.serialNumberSource) {
    case "stored":
      return positive(facts.storedSerialNumber);
    case "storedWithLength": {
      const stored = facts.storedSerialNumber ?? new Uint8Array(0);
      const length = stored[0] ?? 0;
      if (length > stored.length - 1) throw misfit("stored serial number");
      return positive(stored.slice(1, 1 + length));
    }
    case "deviceSerial":
      return Uint8Array.from([0x40, ...sized("chip serial number", facts.chipSerialNumber, 9)]);
    case "signerId":
      return Uint8Array.of(0x40, certificate.signerId >> 8, certificate.signerId & 0xff);
    case "publicKeyHash":
      return hashedSerialNumber(facts.publicKey, certificate, template, hashes);
    case "deviceSerialHash": {
      const serial = sized("chip serial number", facts.chipSerialNumber, 9);
      return hashedSerialNumber(serial, certificate, template, hashes);
    }
  }
}

function hashedSerialNumber(
  seed: Uint8Array,
  certificate: UnsignedCertificate,
  template: CertificateTemplate,
  hashes: CertificateHashes,
): Uint8Array {
  const [date0, date1, date2, extension] = encodeDates(certificate);
  const extended = certificate.version === 0 ? [] : [extension & 0xf0];
  const hash = hashes.sha256(Uint8Array.from([...seed, date0, date1, date2, ...extended]));
  if (template.serialNumber.bytes > hash.length) throw misfit("serial number");
  const serial = hash.slice(0, template.serialNumber.bytes);
  // 01 on top: positive, and never shorter than it looks.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** A certificate serial number: 1 to 20 bytes, positive, minimal (RFC 5280 §4.1.2.2). */
function positive(serial: Uint8Array | undefined): Uint8Array {
  const [first, second] = serial ?? [];
  const isMinimal = first !== 0 || (second ?? 0) >= 0x80;
  if (serial === undefined || first === undefined || first >= 0x80 || !isMinimal || serial.length > 20) {
    throw misfit("stored serial number");
  }
  return serial;
}

/** Puts the serial number in; where its length differs, the two lengths around it follow. */
function withSerialNumber(tbs: Uint8Array, template: CertificateTemplate, serial: Uint8Array): Uint8Array {
  const { at, bytes } = template.serialNumber;
  const { contentAt } = readElement(tbs, 0);
  // An INTEGER of up to 20 bytes has two bytes of header.
  return encodeElement(
    derTags.sequence,
    tbs.subarray(contentAt, at - 2),
    encodeElement(derTags.integer, serial),
    tbs.subarray(at + bytes),
  );
}

function timeText(date: IssueDate, { format }: TemplateTime): Uint8Array {
  const isUtc = format === "utc";
  // RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
  if (isUtc !== date.year <= 2049) throw misfit("date");
  const year = isUtc ? two(date.year % 100) : date.year.toString().padStart(4, "0");
  return ascii(`${year}${two(date.month)}${two(date.day)}${two(date.hour)}0000Z`);
}

function endText(notBefore: IssueDate, validYears: number, time: TemplateTime): Uint8Array {
  if (validYears > 0) return timeText({ ...notBefore, year: notBefore.year + validYears }, time);
  // RFC 5280 §4.1.2.5: no well-defined expiration date.
  if (time.format !== "generalized") throw misfit("date");
  return ascii("99991231235959Z");
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function sized(what: string, bytes: Uint8Array | undefined, length: number): Uint8Array {
  if (bytes?.length === length) return bytes;
  throw misfit(what);
}

function misfit(what: string): ProvisioningError {
  return new ProvisioningError(
    "certificate_unrepresentable",
    `the ${what} is missing or does not fit the template`,
    {
      what,
    },
  );
}
