/**
 * Pins of signed time as people and firmware take them: X‖Y in hexadecimal, SPKI in PEM, and its fingerprint.
 */
import { createPublicKey } from "node:crypto";
import { hexEncode } from "@mayfly/core";
import { timePinsMax } from "@mayfly/core/time-answer";
import { CommandFailure } from "../failure.ts";
import { fingerprintOf, publicKeyOfPoint } from "./keys.ts";

export interface TimePin {
  /** X‖Y, 128 hexadecimal digits. */
  readonly publicKey: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  readonly fingerprint: string;
  readonly pem: string;
}

/** @param point X‖Y, 64 bytes, a point of P-256. */
export function pinOf(point: Uint8Array): TimePin {
  const { key, pem } = publicKeyOfPoint(point);
  return { publicKey: hexEncode(point), fingerprint: fingerprintOf(key), pem };
}

/**
 * Reads a file of pins: one or two public keys in PEM.
 *
 * @throws {CommandFailure} key_unusable.
 */
export function pinsOf(text: string, file: string): readonly TimePin[] {
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? [];
  if (blocks.length < 1 || blocks.length > timePinsMax) {
    throw new CommandFailure(
      "key_unusable",
      `${file} holds ${blocks.length} public keys; pins are one or two`,
    );
  }
  return blocks.map((pem) => pinOf(pointOfPem(pem, file)));
}

/** @returns The last 64 bytes of a P-256 key's SPKI: its point, X‖Y (RFC 5480 §2.2). */
function pointOfPem(pem: string, file: string): Uint8Array {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") {
      return Uint8Array.from(key.export({ type: "spki", format: "der" }).subarray(-64));
    }
  } catch (error) {
    throw new CommandFailure("key_unusable", `${file} holds a damaged public key`, { cause: error });
  }
  throw new CommandFailure("key_unusable", `${file} holds a public key that is not on the curve P-256`);
}
