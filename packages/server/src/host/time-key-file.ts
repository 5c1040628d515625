/**
 * The file of signed time, `<data>/time-key.pem`: the online key, its delegation, and the root that delegated.
 *
 * One file, so that a key never meets another key's delegation: it is replaced whole. Three PEM blocks (RFC 7468):
 * `PRIVATE KEY` (PKCS#8), `MAYFLY TIME DELEGATION` (the 170 bytes), `PUBLIC KEY` (the root's). The root is there to
 * find a damaged or mismatched file here, before every device refuses what it makes; no device learns it from us.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import {
  decodeDelegation,
  delegationMessageBytes,
  delegationMillisMax,
  encodeDelegationMessage,
  TimeAnswerError,
  type TimeDelegation,
} from "@mayfly/core/time-answer";
import type { OnlineTimeKey } from "../time/time-answerer.ts";

/** A delegation begins this much before it is made: the bridge's clock may be behind that of the root's machine. */
export const delegationBackdateMillis = 600_000;

/** A key file or root key is not what it should be. The message says why and quotes nothing of it. */
export class TimeKeyError extends Error {
  override readonly name = "TimeKeyError";
  readonly code = "time_key_unusable";
}

/** What the file holds, checked. */
export interface TimeKeyFile extends OnlineTimeKey {
  readonly bounds: TimeDelegation;
  /** X‖Y of the root that delegated, 64 bytes. */
  readonly root: Uint8Array;
}

/** @returns A new P-256 key for a root, PKCS#8 PEM, and its public half, SPKI PEM. */
export function makeTimeRoot(): { readonly privatePem: string; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privatePem: pemOf(privateKey), publicPem: pemOf(publicKey) };
}

/**
 * Makes an online key and has a root delegate to it.
 *
 * @param order `lifetimeMillis` at most 30 days, the backdating included.
 * @returns The file's text: secret.
 * @throws {TimeKeyError} `rootPem` is no P-256 private key.
 */
export function makeTimeKeyFile(order: {
  readonly rootPem: string;
  readonly nowMillis: number;
  readonly lifetimeMillis: number;
}): string {
  const root = readPrivateKey(order.rootPem);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const notBeforeMillis = Math.floor(order.nowMillis) - delegationBackdateMillis;
  const message = encodeDelegationMessage({
    publicKey: pointOf(publicKey),
    notBeforeMillis,
    notAfterMillis: notBeforeMillis + Math.min(order.lifetimeMillis, delegationMillisMax),
  });
  const delegation = Buffer.concat([message, signRaw(root, message)]);
  return pemOf(privateKey) + formatBlock(delegationLabel, delegation) + pemOf(createPublicKey(root));
}

/** @throws {TimeKeyError} A part is missing or damaged, or the parts do not belong together. */
export function parseTimeKeyFile(text: string): TimeKeyFile {
  const key = readPrivateKey(findBlock(text, "PRIVATE KEY"));
  const root = readPublicKey(findBlock(text, "PUBLIC KEY"));
  const delegation = new Uint8Array(
    Buffer.from(findBlock(text, delegationLabel).replaceAll(/-----.*-----|\s/g, ""), "base64"),
  );
  const bounds = readDelegation(delegation);
  if (!pointOf(createPublicKey(key)).every((byte, at) => byte === bounds.publicKey[at])) {
    throw new TimeKeyError("the delegation is for another key");
  }
  const message = delegation.subarray(0, delegationMessageBytes);
  const signature = delegation.subarray(delegationMessageBytes);
  if (!verify("sha256", message, { key: root, dsaEncoding: "ieee-p1363" }, signature)) {
    throw new TimeKeyError("the root has not signed the delegation");
  }
  return { bounds, delegation, root: pointOf(root), sign: (bytes) => signRaw(key, bytes) };
}

/** @returns X‖Y, 64 bytes: the end of an uncompressed point's SPKI (RFC 5480 §2.2). */
export function pointOf(publicKey: KeyObject): Uint8Array {
  return Uint8Array.from(publicKey.export({ type: "spki", format: "der" }).subarray(-64));
}

const delegationLabel = "MAYFLY TIME DELEGATION";

function readDelegation(bytes: Uint8Array): TimeDelegation {
  try {
    return decodeDelegation(bytes);
  } catch (error) {
    if (error instanceof TimeAnswerError) throw new TimeKeyError(error.message, { cause: error });
    throw error;
  }
}

function readPrivateKey(pem: string): KeyObject {
  return readKey(() => createPrivateKey(pem), "no private key in PEM");
}

function readPublicKey(pem: string): KeyObject {
  return readKey(() => createPublicKey(pem), "no public key in PEM");
}

function readKey(read: () => KeyObject, otherwise: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw new TimeKeyError(otherwise, { cause: error });
  }
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  throw new TimeKeyError("the key is not on the curve P-256");
}

function signRaw(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign("sha256", message, { key, dsaEncoding: "ieee-p1363" }));
}

function pemOf(key: KeyObject): string {
  return key.export({ type: key.type === "private" ? "pkcs8" : "spki", format: "pem" }).toString();
}

function formatBlock(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** @returns The one block of that label, its lines with BEGIN and END. */
function findBlock(text: string, label: string): string {
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`];
  const start = text.indexOf(begin);
  const stop = text.indexOf(end, start);
  if (start < 0 || stop < 0) throw new TimeKeyError(`there is no ${label} in it`);
  return text.slice(start, stop + end.length);
}
