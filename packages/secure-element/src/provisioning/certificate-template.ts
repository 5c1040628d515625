/**
 * A certificate template: the TBSCertificate of a sample, and where in it the varying parts lie.
 *
 * The offsets are found by walking the sample once, so that nobody counts bytes by hand. A sample for device
 * certificates carries `FFFF` at the end of its issuer's common name where the signer id shall stand; other
 * varying texts are found by the placeholder they carry.
 */
import { type DerElement, derTags, malformed, readChildren, readElement } from "./der.ts";
import { ProvisioningError } from "./provisioning-error.ts";

export interface TemplateTime {
  readonly at: number;
  /** 13 characters for UTCTime (through 2049), 15 for GeneralizedTime (RFC 5280 §4.1.2.5). */
  readonly format: "utc" | "generalized";
}

/** All offsets are into `tbs` and name the content, not its header. */
export interface CertificateTemplate {
  readonly tbs: Uint8Array;
  /** AlgorithmIdentifier of the signature, as it stands behind the TBS. */
  readonly signatureAlgorithm: Uint8Array;
  readonly serialNumber: { readonly at: number; readonly bytes: number };
  readonly notBefore: TemplateTime;
  readonly notAfter: TemplateTime;
  /** X‖Y. */
  readonly publicKeyAt: number;
  /** 20 bytes each. */
  readonly subjectKeyIdAt?: number;
  readonly authorityKeyIdAt?: number;
  /** Four hexadecimal digits, upper case, in the issuer's (of a signer's own certificate: subject's) name. */
  readonly signerIdAt?: number;
  /** Further texts, by the name the caller gave them. */
  readonly custom: Readonly<Record<string, { readonly at: number; readonly bytes: number }>>;
}

/**
 * @param sample DER of a whole P-256 certificate.
 * @param marks `signerId`: in which name the digits `FFFF` stand, if in any. `custom`: placeholder bytes by name.
 * @throws {ProvisioningError} `certificate_malformed`.
 */
export function readCertificateTemplate(
  sample: Uint8Array,
  marks: {
    readonly signerId?: "issuer" | "subject";
    readonly custom?: Readonly<Record<string, Uint8Array>>;
  } = {},
): CertificateTemplate {
  const [tbsElement, algorithm] = readChildren(sample, readElement(sample, 0));
  if (tbsElement === undefined || algorithm === undefined) throw malformed(0);
  const tbs = sample.slice(tbsElement.at, tbsElement.end);
  const [version, serial, , issuer, validity, subject, spki, ...rest] = readChildren(
    tbs,
    readElement(tbs, 0),
  );
  if (version?.tag !== 0xa0 || serial?.tag !== derTags.integer) throw malformed(0);
  if (!issuer || !validity || !subject || !spki) throw malformed(0);
  const [notBefore, notAfter] = readChildren(tbs, validity);
  const [, keyBits] = readChildren(tbs, spki);
  // BIT STRING: no unused bits, uncompressed point.
  const isP256 =
    keyBits?.tag === derTags.bitString &&
    keyBits.end - keyBits.contentAt === 66 &&
    tbs[keyBits.contentAt + 1] === 0x04;
  if (!isP256) throw malformed(spki.at);
  const subjectKeyIdAt = findKeyId(tbs, rest, [0x55, 0x1d, 0x0e]);
  const authorityKeyIdAt = findKeyId(tbs, rest, [0x55, 0x1d, 0x23]);
  const name = marks.signerId === undefined ? undefined : marks.signerId === "issuer" ? issuer : subject;
  return {
    tbs,
    signatureAlgorithm: sample.slice(algorithm.at, algorithm.end),
    serialNumber: { at: serial.contentAt, bytes: serial.end - serial.contentAt },
    notBefore: templateTime(notBefore),
    notAfter: templateTime(notAfter),
    publicKeyAt: keyBits.contentAt + 2,
    ...(subjectKeyIdAt === undefined ? {} : { subjectKeyIdAt }),
    ...(authorityKeyIdAt === undefined ? {} : { authorityKeyIdAt }),
    ...(name === undefined ? {} : { signerIdAt: findSignerId(tbs, name) }),
    custom: Object.fromEntries(
      Object.entries(marks.custom ?? {}).map(([key, placeholder]) => [
        key,
        { at: findOnce(tbs, placeholder), bytes: placeholder.length },
      ]),
    ),
  };
}

function templateTime(element: DerElement | undefined): TemplateTime {
  if (element?.tag === derTags.utcTime) return { at: element.contentAt, format: "utc" };
  if (element?.tag === derTags.generalizedTime) return { at: element.contentAt, format: "generalized" };
  throw malformed(element?.at ?? 0);
}

/** Content of a key identifier extension: the last 20 bytes of its value. */
function findKeyId(tbs: Uint8Array, rest: readonly DerElement[], oid: readonly number[]): number | undefined {
  const wrapper = rest.find(({ tag }) => tag === 0xa3);
  if (wrapper === undefined) return undefined;
  for (const extension of readChildren(tbs, readElement(tbs, wrapper.contentAt, wrapper.end))) {
    const [id] = readChildren(tbs, extension);
    if (id === undefined || !oid.every((byte, i) => tbs[id.contentAt + i] === byte)) continue;
    if (id.end - id.contentAt === oid.length && extension.end - id.end >= 24) return extension.end - 20;
    throw malformed(extension.at);
  }
  return undefined;
}

/** `FFFF` at the end of the name. */
function findSignerId(tbs: Uint8Array, name: DerElement): number {
  const at = name.end - 4;
  if (tbs.subarray(at, name.end).every((byte) => byte === 0x46)) return at;
  throw new ProvisioningError(
    "certificate_malformed",
    "the name does not end in FFFF, where the signer id goes",
  );
}

function findOnce(tbs: Uint8Array, needle: Uint8Array): number {
  const found: number[] = [];
  for (let at = 0; at + needle.length <= tbs.length; at++) {
    if (needle.every((byte, i) => tbs[at + i] === byte)) found.push(at);
  }
  const [at] = found;
  if (at !== undefined && found.length === 1) return at;
  throw new ProvisioningError("certificate_malformed", "a placeholder is not there exactly once", {
    found: found.length,
  });
}
