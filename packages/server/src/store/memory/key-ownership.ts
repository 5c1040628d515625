/**
 * Whose key is it? A public key belongs to one device of a project, and a revoked one to nobody ever again.
 *
 * An IoT Core token names no subject, so a key held by two devices lets one speak as the other. The ban on a
 * revoked key outlives the device it was on.
 */
import type { KeyRecord } from "../../registry/model.ts";
import { StoreError } from "../../registry/store.ts";

export class KeyOwnership {
  /** Fingerprint to the numIds of the devices that have it on record. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #revoked = new Set<string>();

  /**
   * @param before Keys already on record for this device: those need no new permission.
   * @throws {StoreError} key_taken
   */
  check(
    numId: string,
    before: readonly KeyRecord[],
    after: readonly KeyRecord[],
    duplicateKeys: "refuse" | "report",
  ): void {
    for (const key of after) {
      if (this.#revoked.has(key.fingerprint) && key.state !== "revoked") {
        throw new StoreError("key_taken", `key ${key.keyId} was revoked in this project and stays revoked`);
      }
      if (duplicateKeys === "report" || before.some((one) => one.fingerprint === key.fingerprint)) continue;
      const holders = this.#holders.get(key.fingerprint);
      if (holders !== undefined && [...holders].some((holder) => holder !== numId)) {
        throw new StoreError("key_taken", `key ${key.keyId} belongs to another device of this project`);
      }
    }
  }

  /** Records what was permitted by {@link check}. */
  replace(numId: string, before: readonly KeyRecord[], after: readonly KeyRecord[]): void {
    for (const key of before) {
      const holders = this.#holders.get(key.fingerprint);
      holders?.delete(numId);
      if (holders?.size === 0) this.#holders.delete(key.fingerprint);
    }
    for (const key of after) {
      const holders = this.#holders.get(key.fingerprint) ?? new Set();
      this.#holders.set(key.fingerprint, holders.add(numId));
      if (key.state === "revoked") this.#revoked.add(key.fingerprint);
    }
  }
}
