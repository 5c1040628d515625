/**
 * A small store that lasts as long as the process: for devices without flash to write, and for tests.
 *
 * It keeps the promises of the port but one: nothing outlives a restart.
 */
import type { SmallStore } from "./ports.ts";
import { checkSmallKey, checkSmallValue } from "./small-store-rules.ts";

export function createMemoryStore(): SmallStore {
  const values = new Map<string, Uint8Array>();
  return {
    read(key) {
      checkSmallKey(key);
      return values.get(key)?.slice();
    },
    async write(key, value) {
      checkSmallValue(key, value);
      values.set(key, value.slice());
    },
  };
}
