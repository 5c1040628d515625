/**
 * Verification of a chip's attestation: this key was made in that chip, lives in that slot, and cannot have come
 * from outside.
 *
 * The chip signs 55 bytes it puts together itself: a digest of the public key under a fresh nonce, the slot's
 * configuration words, its serial number, its lock. We build the same bytes from what we are told and from what we
 * expect; the signature of the attestation slot, whose key the factory registered, decides whether they are true.
 * Only then do the configuration words count: they tell whether the slot's key can be trusted to be the chip's.
 *
 * Message and digest: reference/atecc608.md §2.1. Left to others: keeping the challenge fresh and used once.
 */
import { concatBytes, equalBytes } from "./bytes.ts";
import type { Sha256 } from "./host.ts";
import { findEs256Malformation } from "./token/ecdsa-range.ts";
import type { SignatureVerifier } from "./token/verifier.ts";

/** NumIn of the chip's Nonce command. */
export const attestationChallengeBytes = 20;

/** What a device sends about a key. Nothing in it is believed before the signature is verified. */
export interface KeyAttestation {
  /** The chip serial number, 9 bytes. */
  readonly serialNumber: Uint8Array;
  /** The verifier's, 20 bytes. */
  readonly challenge: Uint8Array;
  /** What the chip drew for this Nonce, 32 bytes. */
  readonly randomOutput: Uint8Array;
  /** 0 to 15. */
  readonly slot: number;
  /** X‖Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** The key was made by the very command that is attested. */
  readonly created: boolean;
  readonly attestationSlot: number;
  /** SlotConfig and KeyConfig of `slot`, 16 bits each. */
  readonly slotConfig: number;
  readonly keyConfig: number;
  readonly slotLocked: boolean;
  /** R‖S, 64 bytes. */
  readonly signature: Uint8Array;
}

export interface AttestationExpectation {
  /** Of the chip that the factory registered for the device, 9 bytes. */
  readonly serialNumber: Uint8Array;
  /** The one we gave out for this, 20 bytes. */
  readonly challenge: Uint8Array;
  readonly slot: number;
  readonly attestationSlot: number;
  /** Public key of the attestation slot, as {@link SignatureVerifier} takes it. */
  readonly attestationKey: unknown;
}

export interface AttestationPorts {
  readonly sha256: Sha256;
  readonly verifier: Pick<SignatureVerifier, "verify">;
}

/** A key the chip vouches for. */
export interface AttestedKey {
  /** X‖Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  readonly created: boolean;
  /** May the device itself put another key in this slot? */
  readonly replaceable: boolean;
}

export type AttestationErrorCode =
  | "attestation_malformed"
  | "attestation_challenge_mismatch"
  | "attestation_chip_mismatch"
  | "attestation_slot_mismatch"
  | "attestation_signature_invalid"
  /** The chip vouches, but the slot's rules let a key be read, brought in, or be used for something else. */
  | "attestation_slot_unsafe";

/** An attestation was refused. `code` is stable; `message` is for people and may change. */
export class AttestationError extends Error {
  override readonly name = "AttestationError";
  readonly code: AttestationErrorCode;
  /** Facts fit for a log: never a key or a signature. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: AttestationErrorCode, message: string, facts: AttestationError["facts"] = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

/**
 * @returns The key, when the chip vouches for it and its slot keeps keys as it must.
 * @throws {AttestationError} Refused; see its code. Nothing a device sends makes it throw anything else.
 */
export function verifyKeyAttestation(
  attestation: KeyAttestation,
  expected: AttestationExpectation,
  ports: AttestationPorts,
): AttestedKey {
  checkForm(attestation);
  checkExpectation(attestation, expected);
  const message = attestationMessage(attestation, ports.sha256);
  if (!ports.verifier.verify("ES256", expected.attestationKey, message, attestation.signature)) {
    throw new AttestationError("attestation_signature_invalid", "the chip did not sign this attestation", {
      slot: attestation.slot,
    });
  }
  checkSlotRules(attestation);
  return {
    publicKey: attestation.publicKey.slice(),
    created: attestation.created,
    replaceable: (attestation.slotConfig & slotBits.genKeyAfterLock) !== 0 && !attestation.slotLocked,
  };
}

function checkForm(attestation: KeyAttestation): void {
  const { serialNumber, challenge, randomOutput, publicKey, signature } = attestation;
  const lengths = [
    [serialNumber, 9],
    [challenge, attestationChallengeBytes],
    [randomOutput, 32],
    [publicKey, 64],
    [signature, 64],
  ] as const;
  const words = [attestation.slotConfig, attestation.keyConfig];
  const slots = [attestation.slot, attestation.attestationSlot];
  const isSound =
    lengths.every(([bytes, length]) => bytes.length === length) &&
    words.every((word) => isWhole(word, 0xffff)) &&
    slots.every((slot) => isWhole(slot, 15)) &&
    findEs256Malformation(signature) === undefined;
  if (!isSound) throw new AttestationError("attestation_malformed", "the attestation has the wrong form");
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function checkExpectation(attestation: KeyAttestation, expected: AttestationExpectation): void {
  if (!equalBytes(attestation.challenge, expected.challenge)) {
    throw new AttestationError("attestation_challenge_mismatch", "the attestation answers another challenge");
  }
  if (!equalBytes(attestation.serialNumber, expected.serialNumber)) {
    throw new AttestationError("attestation_chip_mismatch", "the attestation is of another chip");
  }
  if (attestation.slot !== expected.slot || attestation.attestationSlot !== expected.attestationSlot) {
    throw new AttestationError("attestation_slot_mismatch", "the attestation is of another slot", {
      slot: attestation.slot,
      attestationSlot: attestation.attestationSlot,
    });
  }
}

const nonceOpcode = 0x16;
const genKeyOpcode = 0x40;
const signOpcode = 0x41;
/** Sign's mode: message of the chip, with its whole serial number. */
const signMode = 0x40;
/** TempKey holds a GenKey digest over a random nonce. */
const genKeyDataFlag = 0x40;

/**
 * The 55 bytes the chip signs when it attests.
 *
 * @param sha256 For the two digests inside: that of the nonce and that of the public key.
 */
export function attestationMessage(
  attestation: Omit<KeyAttestation, "signature">,
  sha256: Sha256,
): Uint8Array {
  const { serialNumber: serial, slot } = attestation;
  const genKeyMode = attestation.created ? 0x0c : 0x08;
  const nonce = sha256.digest(
    concatBytes([attestation.randomOutput, attestation.challenge, Uint8Array.of(nonceOpcode, 0x00, 0x00)]),
  );
  const tempKey = sha256.digest(
    concatBytes([
      nonce,
      Uint8Array.of(genKeyOpcode, genKeyMode, slot, 0, ...serial.subarray(8, 9), ...serial.subarray(0, 2)),
      new Uint8Array(25),
      attestation.publicKey,
    ]),
  );
  return concatBytes([
    tempKey,
    Uint8Array.of(signOpcode, signMode, attestation.attestationSlot, 0),
    Uint8Array.of(attestation.slotConfig & 0xff, attestation.slotConfig >> 8),
    Uint8Array.of(attestation.keyConfig & 0xff, attestation.keyConfig >> 8),
    Uint8Array.of(slot | genKeyDataFlag, 0, 0),
    serial.subarray(8, 9),
    serial.subarray(4, 8),
    serial.subarray(0, 4),
    Uint8Array.of(attestation.slotLocked ? 0 : 1, 0, 0),
  ]);
}

/** SlotConfig and KeyConfig of a private key, as far as trust goes (atecc608.md §3.2). */
const slotBits = { isSecret: 0x0080, genKeyAfterLock: 0x2000, privWrite: 0x4000 } as const;
const keyBits = { isPrivate: 0x0001, keyType: 0x001c, keyTypeP256: 0x0010 } as const;
/** A slot that signs the chip's own messages and the host's digests could be made to forge attestations. */
const bothSigns = 0x0003;

function checkSlotRules({ slot, slotConfig, keyConfig }: KeyAttestation): void {
  const isSafe =
    (keyConfig & keyBits.isPrivate) !== 0 &&
    (keyConfig & keyBits.keyType) === keyBits.keyTypeP256 &&
    (slotConfig & slotBits.isSecret) !== 0 &&
    (slotConfig & slotBits.privWrite) === 0 &&
    (slotConfig & bothSigns) !== bothSigns;
  if (isSafe) return;
  throw new AttestationError("attestation_slot_unsafe", `slot ${slot} does not keep keys as it must`, {
    slot,
  });
}
