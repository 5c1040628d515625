/**
 * What every small store refuses alike, so that a key or a value fits the narrowest of them (NVS).
 *
 * Left to others: keeping the bytes (`memory-store.ts`, `host/node/file-store.ts`, `host/xs`).
 */
import { smallValueBytesMax } from "./ports.ts";

/**
 * `key_malformed`: not 1 to 15 ASCII letters, digits and `-`. `value_too_large`: above {@link smallValueBytesMax}.
 * `store_busy`: too many writes wait. `store_full`: no room left, try again when there is. `store_failed`: the medium
 * failed; see `cause`. `store_closed`: closed before the write began. `store_locked`: another agent has it open.
 */
export type SmallStoreErrorCode =
  | "key_malformed"
  | "value_too_large"
  | "store_busy"
  | "store_full"
  | "store_failed"
  | "store_closed"
  | "store_locked";

/** A small value could not be kept. `code` is stable; `message` never shows a value. */
export class SmallStoreError extends Error {
  override readonly name = "SmallStoreError";
  readonly code: SmallStoreErrorCode;

  constructor(code: SmallStoreErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

const keyCharsMax = 15;

/** @throws {SmallStoreError} `key_malformed`. */
export function checkSmallKey(key: string): void {
  let isGood = key.length >= 1 && key.length <= keyCharsMax;
  for (let i = 0; isGood && i < key.length; i++) isGood = isKeyUnit(key.charCodeAt(i));
  if (!isGood)
    throw new SmallStoreError("key_malformed", "a key is 1 to 15 ASCII letters, digits and hyphens");
}

/** @throws {SmallStoreError} `key_malformed`, `value_too_large`. */
export function checkSmallValue(key: string, value: Uint8Array): void {
  checkSmallKey(key);
  if (value.length <= smallValueBytesMax) return;
  throw new SmallStoreError(
    "value_too_large",
    `${key} has ${value.length} bytes; at most ${smallValueBytesMax} are kept`,
  );
}

function isKeyUnit(unit: number): boolean {
  return (
    (unit >= 0x30 && unit <= 0x39) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x61 && unit <= 0x7a) ||
    unit === 0x2d
  );
}
