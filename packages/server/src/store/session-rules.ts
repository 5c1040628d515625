/**
 * Rules that every store keeps about Sessions, whatever it is made of: under which key one lives, and which
 * Packet Identifier a kept command gets.
 *
 * Identifiers are given in turn, and the turn goes on where it stood: a PUBACK that comes late meets no younger
 * command under its number. One that is still in use is passed over, so a command may wait for ever and still
 * be the only one of its name.
 */
import { isVerifyingState } from "../registry/key-set.ts";
import type { KeyRecord } from "../registry/model.ts";
import { keptPacketIdentifierMax } from "../registry/session-store.ts";

/** Whether the key with this fingerprint may still verify at `nowMs`: a Session ends with its key. */
export function isKeyVerifying(keys: readonly KeyRecord[], fingerprint: string, nowMs: number): boolean {
  return keys.some(
    (key) =>
      key.fingerprint === fingerprint &&
      isVerifyingState(key.state) &&
      (key.expiresAtSeconds === undefined || nowMs < key.expiresAtSeconds * 1000),
  );
}

/**
 * @param wanted Whose turn it is: 1 to {@link keptPacketIdentifierMax}.
 * @param inUse Fewer than there are identifiers, or there is none to give.
 * @returns The first from `wanted` on, around the end, that is not in use.
 */
export function findFreePacketIdentifier(wanted: number, inUse: ReadonlySet<number>): number {
  let found = wanted;
  while (inUse.has(found)) found = packetIdentifierAfter(found);
  return found;
}

/** Whose turn it is after `given`. */
export function packetIdentifierAfter(given: number): number {
  return given >= keptPacketIdentifierMax ? 1 : given + 1;
}
