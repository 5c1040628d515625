/**
 * Keys, delegations and answers of signed time, made with `node:crypto`, and the verifier port over it: for tests.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import {
  encodeDelegationMessage,
  encodeTimeMessage,
  joinTimeAnswer,
  type MessageVerifier,
  type TimeDelegation,
  type ToldTime,
} from "../src/time-answer/index.ts";

export interface TimeKey {
  /** X‖Y, 64 bytes. */
  readonly point: Uint8Array;
  readonly publicKey: KeyObject;
  sign(message: Uint8Array): Uint8Array;
}

export function makeTimeKey(): TimeKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    point: pointOf(publicKey),
    publicKey,
    sign: (message) =>
      Uint8Array.from(sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" })),
  };
}

/** @returns X‖Y, 64 bytes. */
export function pointOf(publicKey: KeyObject): Uint8Array {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return Uint8Array.from(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
}

/** The other way round. @throws when it is no point of the curve. */
export function keyOfPoint(point: Uint8Array): KeyObject {
  const part = (start: number) => Buffer.from(point.subarray(start, start + 32)).toString("base64url");
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x: part(0), y: part(32) }, format: "jwk" });
}

/** Verifies with the platform; counts what it was asked. */
export class PlatformTimeVerifier implements MessageVerifier {
  asked = 0;

  verifyMessage(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    this.asked++;
    const key = keyOfPoint(publicKey);
    return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
  }
}

/** @returns 170 bytes. */
export function delegate(root: TimeKey, delegation: TimeDelegation): Uint8Array {
  const message = encodeDelegationMessage(delegation);
  return Uint8Array.from([...message, ...root.sign(message)]);
}

/** @returns 293 bytes. */
export function answerTime(online: TimeKey, delegation: Uint8Array, told: ToldTime): Uint8Array {
  const message = encodeTimeMessage(told);
  return joinTimeAnswer(message, online.sign(message), delegation);
}
