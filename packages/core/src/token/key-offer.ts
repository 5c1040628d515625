/**
 * Key offers: a device made a new key in a spare slot, and its current key says so.
 *
 * A JWS of its own type, made for one instruction and no other: it repeats the instruction's number, slot and
 * challenge. With `sig` the chip attests that the key was made in it, over that same challenge; without, the current
 * key's word is all there is. What a chip's attestation needs stands flat among the claims, since nothing nested is
 * read.
 *
 * Left to others: whether a registry takes such offers, and with which of the two proofs (the registry's policy).
 */
import {
  AttestationError,
  type AttestationPorts,
  type KeyAttestation,
  verifyKeyAttestation,
} from "../attestation.ts";
import { base64urlDecode, base64urlEncode, concatBytes, hexDecode, hexEncode, utf8Encode } from "../bytes.ts";
import type { Es256Signer, Sha256 } from "../host.ts";
import { findEs256Malformation } from "./ecdsa-range.ts";
import type { JsonMembers } from "./json-object.ts";
import { judgeHeader, splitJws } from "./jws.ts";
import { joinToken } from "./mint.ts";
import { TokenError } from "./token-error.ts";

export const keyOfferType = "mayfly-key-offer+jwt";
/** Longest offer; all of it ASCII. */
export const keyOfferBytesMax = 2_048;

/** What a chip says of a key it has made; the rest of its attestation both sides know. */
export type OfferAttestation = Omit<KeyAttestation, "challenge" | "slot" | "publicKey" | "created">;

export interface KeyOffer {
  /** `projects/…/devices/…`, string id or numId. */
  readonly sub: string;
  /** Number, slot and challenge of the instruction that asked. */
  readonly number: number;
  readonly slot: number;
  readonly challenge: Uint8Array;
  /** X‖Y of the new key, 64 bytes. */
  readonly publicKey: Uint8Array;
  readonly attestation?: OfferAttestation;
}

/**
 * Has the current key offer the new one.
 *
 * @returns JWS Compact Serialization.
 * @throws {TokenError} `token_signature_malformed`. What the signer throws passes through.
 */
export async function stateKeyOffer(
  offer: KeyOffer,
  current: Pick<Es256Signer, "keyId" | "signDigest">,
  sha256: Sha256,
): Promise<string> {
  const header = JSON.stringify({ alg: "ES256", typ: keyOfferType, kid: current.keyId });
  const claims = JSON.stringify(claimsOf(offer));
  const signingInput = utf8Encode(
    `${base64urlEncode(utf8Encode(header))}.${base64urlEncode(utf8Encode(claims))}`,
  );
  const signature = await current.signDigest(sha256.digest(signingInput));
  checkSignatureForm(signature);
  return joinToken(signingInput, signature);
}

function claimsOf({ sub, number, slot, challenge, publicKey, attestation }: KeyOffer) {
  return {
    sub,
    number,
    slot,
    nonce: base64urlEncode(challenge),
    x: base64urlEncode(publicKey.subarray(0, 32)),
    y: base64urlEncode(publicKey.subarray(32, 64)),
    ...(attestation === undefined ? undefined : attestationClaims(attestation)),
  };
}

function attestationClaims(attestation: OfferAttestation) {
  return {
    chip: hexEncode(attestation.serialNumber),
    random: base64urlEncode(attestation.randomOutput),
    attestationSlot: attestation.attestationSlot,
    slotConfig: attestation.slotConfig,
    keyConfig: attestation.keyConfig,
    slotLocked: attestation.slotLocked,
    sig: base64urlEncode(attestation.signature),
  };
}

/** What the bridge asked for, and what it knows of the device. */
export interface OfferExpectation extends Pick<KeyOffer, "number" | "slot" | "challenge"> {
  /** The texts that mean the device: its path by string id and by numId. */
  readonly names: readonly string[];
  /** The key the device is authenticated with, as the verifier takes it. */
  readonly currentKey: unknown;
  /** The chip the factory registered for the device, where it did. */
  readonly chip?: {
    readonly serialNumber: Uint8Array;
    readonly attestationSlot: number;
    readonly attestationKey: unknown;
  };
}

export interface OfferedKey {
  /** X‖Y, 64 bytes; whether that is a point is left to whoever reads keys. */
  readonly publicKey: Uint8Array;
  /** `attested`: the chip made it and keeps it. `vouched`: the current key says so, no more. */
  readonly proof: "attested" | "vouched";
}

/**
 * @param text JWS Compact Serialization; anything.
 * @throws {TokenError} Refused: `token_too_large`, `token_malformed`, `token_header_unsupported`,
 *   `token_algorithm_unsupported`, `token_claims_malformed`, `token_subject_mismatch` (another device, or another
 *   instruction than the one that asked), `token_signature_malformed`, `token_signature_invalid`.
 * @throws {AttestationError} The chip's part of it was refused, or no chip is on record for the device
 *   (`attestation_chip_mismatch`).
 */
export function verifyKeyOffer(
  text: string,
  expected: OfferExpectation,
  ports: AttestationPorts,
): OfferedKey {
  if (text.length > keyOfferBytesMax) {
    throw new TokenError("token_too_large", `a key offer has at most ${keyOfferBytesMax} bytes`, {
      bytesMax: keyOfferBytesMax,
    });
  }
  const parts = splitJws(text, { looseBase64: false });
  const { alg } = judgeHeader(parts.header, keyOfferType);
  if (alg !== "ES256") {
    throw new TokenError("token_algorithm_unsupported", "a key offer is signed with ES256", { alg });
  }
  const claims = parts.payload;
  const sub = claims.get("sub");
  const isExpected =
    expected.names.some((name) => name === sub) &&
    claims.get("number") === expected.number &&
    claims.get("slot") === expected.slot &&
    claims.get("nonce") === base64urlEncode(expected.challenge);
  if (!isExpected) {
    throw new TokenError("token_subject_mismatch", "the offer answers another device or instruction", {
      number: expected.number,
    });
  }
  checkSignatureForm(parts.signature);
  if (!ports.verifier.verify("ES256", expected.currentKey, parts.signingInput, parts.signature)) {
    throw new TokenError("token_signature_invalid", "the current key did not sign this offer", {
      number: expected.number,
    });
  }
  const publicKey = concatBytes([bytesOf(claims, "x", 32), bytesOf(claims, "y", 32)]);
  if (!claims.has("sig")) {
    checkMemberCount(claims, vouchedMembers);
    return { publicKey, proof: "vouched" };
  }
  checkMemberCount(claims, attestedMembers);
  verifyChipPart(claims, publicKey, expected, ports);
  return { publicKey, proof: "attested" };
}

const vouchedMembers = 6;
const attestedMembers = vouchedMembers + 7;

function verifyChipPart(
  claims: JsonMembers,
  publicKey: Uint8Array,
  { chip, slot, challenge }: OfferExpectation,
  ports: AttestationPorts,
): void {
  const attestation: KeyAttestation = {
    challenge,
    slot,
    publicKey,
    created: true,
    serialNumber: bytesOf(claims, "chip", 9, hexDecode),
    randomOutput: bytesOf(claims, "random", 32),
    attestationSlot: numberOf(claims, "attestationSlot"),
    slotConfig: numberOf(claims, "slotConfig"),
    keyConfig: numberOf(claims, "keyConfig"),
    slotLocked: lockOf(claims),
    signature: bytesOf(claims, "sig", 64),
  };
  if (chip === undefined) {
    throw new AttestationError("attestation_chip_mismatch", "no chip is on record for the device");
  }
  verifyKeyAttestation(attestation, { ...chip, slot, challenge }, ports);
}

// What was not there when the offer was signed was not meant; a member more is one we would not read.
function checkMemberCount(claims: JsonMembers, count: number): void {
  if (claims.size !== count) throw claimsMalformed("members");
}

function bytesOf(claims: JsonMembers, name: string, length: number, decode = base64urlDecode): Uint8Array {
  const text = claims.get(name);
  let bytes: Uint8Array | undefined;
  try {
    if (typeof text === "string") bytes = decode(text);
  } catch {
    // Answered below like any other text.
  }
  if (bytes?.length !== length) throw claimsMalformed(name);
  return bytes;
}

function lockOf(claims: JsonMembers): boolean {
  const value = claims.get("slotLocked");
  if (typeof value !== "boolean") throw claimsMalformed("slotLocked");
  return value;
}

function numberOf(claims: JsonMembers, name: string): number {
  const value = claims.get(name);
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffff)
    throw claimsMalformed(name);
  return value;
}

function claimsMalformed(claim: string): TokenError {
  return new TokenError("token_claims_malformed", `the offer's ${claim} is not as it should be`, { claim });
}

function checkSignatureForm(signature: Uint8Array): void {
  const because = findEs256Malformation(signature);
  if (because === undefined) return;
  throw new TokenError("token_signature_malformed", `the signature has the wrong form: ${because}`, {
    because,
  });
}
