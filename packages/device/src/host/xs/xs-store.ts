/**
 * Small values in the SDK's preferences, which are NVS on ESP32: each is written whole or not at all, also when the
 * power goes.
 *
 * Flash wears, so a value that is there already is not written again. How often a value may change is its owner's care.
 */
import { equalBytes } from "@mayfly/core";
import { type SmallStore, smallValueBytesMax } from "../../ports.ts";
import type { XsPreference } from "./moddable-types.ts";

/** NVS takes 15 characters. */
const domain = "mayfly";
const keyLengthMax = 15;

export function createXsStore(preference: XsPreference): SmallStore {
  const read = (key: string): Uint8Array | undefined => {
    checkKey(key);
    const value = preference.get(domain, key);
    return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
  };
  return {
    read,
    async write(key, value) {
      checkKey(key);
      if (value.length > smallValueBytesMax)
        throw new RangeError(`a value has at most ${smallValueBytesMax} bytes`);
      const before = read(key);
      if (before !== undefined && equalBytes(before, value)) return;
      // A copy, because the buffer of a view may be longer than the view.
      preference.set(domain, key, Uint8Array.from(value).buffer);
    },
  };
}

function checkKey(key: string): void {
  if (key.length < 1 || key.length > keyLengthMax)
    throw new RangeError(`a key has 1 to ${keyLengthMax} characters`);
}
