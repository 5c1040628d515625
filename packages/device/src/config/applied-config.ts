/**
 * Which config this device runs: the version the bridge gave it, where it said one, and the SHA-256 of its bytes.
 *
 * The bytes decide and the version explains. A bridge restored from a backup counts on from an older number, so the same
 * version may come with other bytes: that is another config. And MQTT 3.1.1 has no place for a version at all.
 *
 * Left to others: what follows (`config-keeper.ts`).
 */

export interface AppliedConfig {
  /** Absent where the bridge did not say. */
  readonly version?: number;
  /** SHA-256 of the payload, 32 bytes. */
  readonly digest: Uint8Array;
}

/**
 * `first`: nothing is known to run. `same`: nothing to do. `newer`: also where a version is not known. `went_back`: the
 * bridge forgot what it once gave us.
 */
export type ConfigChange = "first" | "same" | "newer" | "went_back";

export function compareConfigs(applied: AppliedConfig | undefined, next: AppliedConfig): ConfigChange {
  if (applied === undefined) return "first";
  const isEqual = areEqual(applied.digest, next.digest);
  if (applied.version === undefined || next.version === undefined) return isEqual ? "same" : "newer";
  if (next.version > applied.version) return "newer";
  // An older version is told even if its bytes are those we run: whoever counts on versions should know.
  return next.version === applied.version && isEqual ? "same" : "went_back";
}

const formatByte = 1;
const digestBytes = 32;

/** @returns Format 1: a byte 1, a byte that is 1 where there is a version, the version (8 bytes, most significant first), digest. */
export function encodeAppliedConfig({ version, digest }: AppliedConfig): Uint8Array {
  const bytes = new Uint8Array(10 + digestBytes);
  bytes[0] = formatByte;
  bytes[1] = version === undefined ? 0 : 1;
  const view = new DataView(bytes.buffer);
  view.setUint32(2, Math.floor((version ?? 0) / 2 ** 32));
  view.setUint32(6, (version ?? 0) % 2 ** 32);
  bytes.set(digest, 10);
  return bytes;
}

/** @returns `undefined` for what is none of ours, which is as good as nothing. */
export function decodeAppliedConfig(bytes: Uint8Array): AppliedConfig | undefined {
  if (bytes.length !== 10 + digestBytes || bytes[0] !== formatByte || (bytes[1] ?? 2) > 1) return undefined;
  const digest = bytes.slice(10);
  if (bytes[1] === 0) return { digest };
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint32(2) * 2 ** 32 + view.getUint32(6);
  return Number.isSafeInteger(version) ? { version, digest } : undefined;
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
