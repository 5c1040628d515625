/**
 * The compressed certificate: what of a certificate does not follow from a template, in 72 bytes (atecc608.md §4).
 *
 * Signature, dates, three small numbers. All else a reader knows already or asks the chip for. Dates are whole
 * hours; the end is a number of years after the beginning. Version 0 reaches from 2000 to 2031 and 31 years far,
 * version 1 has two more bits for each.
 */
import { ProvisioningError } from "./provisioning-error.ts";

export const compressedCertificateBytes = 72;

/** Where a certificate serial number comes from (high nibble of byte 70). */
export const serialNumberSources = {
  stored: 0x0,
  storedWithLength: 0x7,
  deviceSerial: 0x8,
  signerId: 0x9,
  publicKeyHash: 0xa,
  deviceSerialHash: 0xb,
} as const;
export type SerialNumberSource = keyof typeof serialNumberSources;

/** A whole hour, UTC. */
export interface IssueDate {
  /** 2000 to 2127. */
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
}

export interface CompressedCertificate {
  /** R‖S, 64 bytes. */
  readonly signature: Uint8Array;
  readonly notBefore: IssueDate;
  /** 0 (no expiry: the year 9999) to 127. */
  readonly validYears: number;
  /** 0 to 0xFFFF. */
  readonly signerId: number;
  /** 0 to 15 each. */
  readonly templateId: number;
  readonly chainId: number;
  readonly serialNumberSource: SerialNumberSource;
  /** 0; 1 where the dates need it; 2 (written by others, for larger curves) has the dates of 1. */
  readonly version: 0 | 1 | 2;
}

/** @returns 0 where both dates fit into it, else 1. */
export function dateVersion(notBefore: IssueDate, validYears: number): 0 | 1 {
  return notBefore.year <= 2031 && validYears <= 31 ? 0 : 1;
}

/**
 * @returns 72 bytes.
 * @throws {ProvisioningError} `certificate_unrepresentable`: a field does not fit, or the dates are no dates.
 */
export function encodeCompressedCertificate(certificate: CompressedCertificate): Uint8Array {
  const { signature, signerId, templateId, chainId, version } = certificate;
  checkWhole("signature bytes", signature.length, 64, 64);
  checkWhole("signer id", signerId, 0, 0xffff);
  checkWhole("template id", templateId, 0, 15);
  checkWhole("chain id", chainId, 0, 15);
  const [date0, date1, date2, extension] = encodeDates(certificate);
  const source = serialNumberSources[certificate.serialNumberSource];
  const bytes = new Uint8Array(compressedCertificateBytes);
  bytes.set(signature, 0);
  bytes.set([date0, date1, date2, signerId >> 8, signerId & 0xff], 64);
  bytes.set([(templateId << 4) | chainId, (source << 4) | version, extension], 69);
  return bytes;
}

/**
 * The three date bytes and byte 71, as they are stored and as serial numbers hash them.
 *
 * @throws {ProvisioningError} `certificate_unrepresentable`.
 */
export function encodeDates({
  notBefore,
  validYears,
  version,
}: Pick<CompressedCertificate, "notBefore" | "validYears" | "version">): readonly [
  number,
  number,
  number,
  number,
] {
  const isExtended = version !== 0;
  checkWhole("year", notBefore.year, 2000, isExtended ? 2127 : 2031);
  checkWhole("validity in years", validYears, 0, isExtended ? 127 : 31);
  checkWhole("month", notBefore.month, 1, 12);
  checkWhole("day", notBefore.day, 1, daysOfMonth(notBefore.year, notBefore.month));
  checkWhole("hour", notBefore.hour, 0, 23);
  // 29 February plus some years is mostly no day.
  if (validYears > 0)
    checkWhole("day", notBefore.day, 1, daysOfMonth(notBefore.year + validYears, notBefore.month));
  const year = notBefore.year - 2000;
  const bits =
    ((year & 0x1f) << 19) |
    (notBefore.month << 15) |
    (notBefore.day << 10) |
    (notBefore.hour << 5) |
    (validYears & 0x1f);
  const extension = isExtended ? ((year >> 5) << 6) | ((validYears >> 5) << 4) : 0;
  return [bits >> 16, (bits >> 8) & 0xff, bits & 0xff, extension];
}

/**
 * @param bytes 72 bytes, as slot 10 or 12 holds them.
 * @throws {ProvisioningError} `certificate_malformed`: no certificate was ever encoded so.
 */
export function decodeCompressedCertificate(bytes: Uint8Array): CompressedCertificate {
  if (bytes.length !== compressedCertificateBytes) throw malformedCertificate("length");
  const at = (index: number) => bytes[index] ?? 0;
  const version = at(70) & 0x0f;
  if (version !== 0 && version !== 1 && version !== 2) throw malformedCertificate("version");
  const source = findSource(at(70) >> 4);
  if (source === undefined) throw malformedCertificate("serial number source");
  const extension = version === 0 ? 0 : at(71);
  const bits = (at(64) << 16) | (at(65) << 8) | at(66);
  const certificate: CompressedCertificate = {
    signature: bytes.slice(0, 64),
    notBefore: {
      year: 2000 + ((bits >> 19) | ((extension >> 6) << 5)),
      month: (bits >> 15) & 0x0f,
      day: (bits >> 10) & 0x1f,
      hour: (bits >> 5) & 0x1f,
    },
    validYears: (bits & 0x1f) | (((extension >> 4) & 0x03) << 5),
    signerId: (at(67) << 8) | at(68),
    templateId: at(69) >> 4,
    chainId: at(69) & 0x0f,
    serialNumberSource: source,
    version,
  };
  let again: Uint8Array;
  try {
    again = encodeCompressedCertificate(certificate);
  } catch {
    throw malformedCertificate("dates");
  }
  if (again[71] !== at(71)) throw malformedCertificate("reserved bits");
  return certificate;
}

function findSource(nibble: number): SerialNumberSource | undefined {
  return (Object.keys(serialNumberSources) as SerialNumberSource[]).find(
    (name) => serialNumberSources[name] === nibble,
  );
}

/** Gregorian; `month` 1 to 12. */
function daysOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function checkWhole(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new ProvisioningError(
    "certificate_unrepresentable",
    `${what} ${value} is not within ${min} to ${max}`,
    {
      what,
      value,
    },
  );
}

function malformedCertificate(because: string): ProvisioningError {
  return new ProvisioningError("certificate_malformed", `no compressed certificate: ${because}`, { because });
}
