/**
 * The keys of one device as a value: which lists of keys may follow which.
 *
 * All rules about key states that need no store live here (design §7a): at most 3 keys that may verify, a key
 * that leaves stays on record as retired, a revoked key never returns. Each function takes the keys on record
 * and answers the next ones; nothing is changed in place.
 *
 * Left to others: one public key belongs to one device of a project (the store's `key_taken`).
 */
import type { KeyState } from "@mayfly/core/token";
import { RegistryError } from "./error.ts";
import type { KeyRecord, PublicKeyFormat } from "./model.ts";

/** Keys of a device that may verify: pending, active or retiring. */
export const VERIFYING_KEYS_MAX = 3;
/** Keys of a device on record, in any state. The oldest retired one makes room. */
export const KEYS_ON_RECORD_MAX = 20;

/** A key somebody wants on record; its PEM has been parsed. */
export interface KeyInput {
  readonly format: PublicKeyFormat;
  readonly pem: string;
  readonly fingerprint: string;
  /** The earlier of what the caller asked for and a certificate's notAfter. */
  readonly expiresAtSeconds?: number;
  readonly keyId?: string;
  readonly slot?: number;
  readonly state?: "pending" | "active";
}

export interface KeyChange {
  readonly state?: Exclude<KeyState, "pending">;
  /** `null` clears. */
  readonly expiresAtSeconds?: number | null;
  readonly slot?: number;
}

/** State → states it may become. `revoked` is final. */
const nextStates: Readonly<Record<KeyState, readonly KeyState[]>> = {
  pending: ["active", "retired", "revoked"],
  active: ["retiring", "retired", "revoked"],
  retiring: ["active", "retiring", "retired", "revoked"],
  retired: ["active", "revoked"],
  revoked: [],
};

export function isVerifyingState(state: KeyState): boolean {
  return state === "pending" || state === "active" || state === "retiring";
}

/**
 * What v1's `credentials` does: the list given becomes all that verifies.
 *
 * A key already on record keeps its record (keyId, slot, state; a retired one is active again), others are
 * added as active, and those not listed are retired.
 *
 * @throws {RegistryError} argument_invalid: more than 3, or one key twice; precondition_failed: a revoked key,
 *   or no room on record.
 */
export function replaceVerifyingKeys(
  keys: readonly KeyRecord[],
  wanted: readonly KeyInput[],
  nowMs: number,
): readonly KeyRecord[] {
  if (wanted.length > VERIFYING_KEYS_MAX) throw tooManyVerifying();
  const fingerprints = new Set(wanted.map((key) => key.fingerprint));
  if (fingerprints.size < wanted.length) {
    throw new RegistryError("argument_invalid", "The same key is listed twice in the device credentials.");
  }

  const kept = keys.map((key): KeyRecord => {
    const listed = wanted.find((one) => one.fingerprint === key.fingerprint);
    if (listed === undefined) return isVerifyingState(key.state) ? { ...key, state: "retired" } : key;
    refuseRevoked(key);
    return relistedKey(key, listed);
  });
  const known = new Set(keys.map((key) => key.fingerprint));
  const added = wanted.filter((key) => !known.has(key.fingerprint)).map((key) => newKey(key, nowMs));
  return makeRoom([...kept, ...added]);
}

/**
 * Registers one more key.
 *
 * @throws {RegistryError} already_exists: the key or its keyId is on record; precondition_failed: it is
 *   revoked, three keys verify already, or there is no room on record.
 */
export function addKey(
  keys: readonly KeyRecord[],
  input: KeyInput,
  nowMs: number,
): { readonly keys: readonly KeyRecord[]; readonly added: KeyRecord } {
  const added = newKey(input, nowMs);
  for (const key of keys) {
    if (key.fingerprint === added.fingerprint) {
      refuseRevoked(key);
      throw new RegistryError("already_exists", `The key is on record as '${key.keyId}' (${key.state}).`);
    }
    if (key.keyId === added.keyId) {
      throw new RegistryError("already_exists", `The device has a key '${key.keyId}' already.`);
    }
  }
  const next = [...keys, added];
  if (countVerifying(next) > VERIFYING_KEYS_MAX) throw tooManyVerifying("precondition_failed");
  return { keys: makeRoom(next), added };
}

/**
 * Changes one key's state, date or slot.
 *
 * @throws {RegistryError} not_found: no such key; argument_invalid: `retiring` without a date;
 *   precondition_failed: the state cannot follow the present one, or three keys verify already.
 */
export function changeKey(
  keys: readonly KeyRecord[],
  keyId: string,
  change: KeyChange,
): { readonly keys: readonly KeyRecord[]; readonly changed: KeyRecord } {
  const key = keys.find((one) => one.keyId === keyId);
  if (key === undefined) throw new RegistryError("not_found", `The device has no key '${keyId}'.`);
  const state = change.state ?? key.state;
  if (state !== key.state && !nextStates[key.state].includes(state)) {
    throw new RegistryError("precondition_failed", `A ${key.state} key cannot become ${state}.`);
  }
  if (key.state === "revoked" && change.expiresAtSeconds !== undefined) {
    throw new RegistryError("precondition_failed", "A revoked key has no expiration time to change.");
  }

  const { expiresAtSeconds: before, ...rest } = key;
  const expiresAtSeconds =
    change.expiresAtSeconds === undefined ? before : (change.expiresAtSeconds ?? undefined);
  if (state === "retiring" && expiresAtSeconds === undefined) {
    throw new RegistryError(
      "argument_invalid",
      "A retiring key needs an expirationTime: the end of its overlap.",
    );
  }
  const changed: KeyRecord = {
    ...rest,
    state,
    ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
    ...(change.slot === undefined ? {} : { slot: change.slot }),
  };
  const next = keys.map((one) => (one === key ? changed : one));
  if (countVerifying(next) > VERIFYING_KEYS_MAX) throw tooManyVerifying("precondition_failed");
  return { keys: next, changed };
}

function newKey(input: KeyInput, nowMs: number): KeyRecord {
  return {
    keyId: input.keyId ?? input.fingerprint.slice(0, 16),
    ...(input.slot === undefined ? {} : { slot: input.slot }),
    state: input.state ?? "active",
    format: input.format,
    pem: input.pem,
    fingerprint: input.fingerprint,
    ...(input.expiresAtSeconds === undefined ? {} : { expiresAtSeconds: input.expiresAtSeconds }),
    createdMs: nowMs,
  };
}

function relistedKey(key: KeyRecord, listed: KeyInput): KeyRecord {
  const { expiresAtSeconds: before, ...rest } = key;
  // A client that echoes what it read must not make a pending key active, nor give a retiring one for ever.
  const state = key.state === "retired" ? "active" : key.state;
  const expiresAtSeconds = listed.expiresAtSeconds ?? (state === "retiring" ? before : undefined);
  return {
    ...rest,
    state,
    format: listed.format,
    pem: listed.pem,
    ...(expiresAtSeconds === undefined ? {} : { expiresAtSeconds }),
  };
}

function makeRoom(keys: readonly KeyRecord[]): readonly KeyRecord[] {
  const room = [...keys];
  while (room.length > KEYS_ON_RECORD_MAX) {
    let oldest: KeyRecord | undefined;
    for (const key of room) {
      if (key.state === "retired" && (oldest === undefined || key.createdMs < oldest.createdMs)) oldest = key;
    }
    // Revoked keys stay: their public keys must be refused for as long as the device is known.
    if (oldest === undefined) {
      throw new RegistryError(
        "precondition_failed",
        `The device has ${KEYS_ON_RECORD_MAX} keys on record, none of them retired.`,
      );
    }
    room.splice(room.indexOf(oldest), 1);
  }
  return room;
}

function countVerifying(keys: readonly KeyRecord[]): number {
  return keys.filter((key) => isVerifyingState(key.state)).length;
}

function refuseRevoked(key: KeyRecord): void {
  if (key.state === "revoked") {
    throw new RegistryError(
      "precondition_failed",
      `The key '${key.keyId}' is revoked and cannot be used again.`,
    );
  }
}

function tooManyVerifying(
  code: "argument_invalid" | "precondition_failed" = "argument_invalid",
): RegistryError {
  return new RegistryError(code, `A device has at most ${VERIFYING_KEYS_MAX} keys that may verify.`);
}
