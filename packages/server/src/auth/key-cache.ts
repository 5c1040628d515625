/**
 * Keys imported once: core's verifier over the key port, with handles made when first used and kept in a
 * bounded map by fingerprint.
 *
 * A candidate's handle is its `KeyRecord`, so a key that is never tried is never imported. The fingerprint
 * names the key itself: whatever becomes of its state or its device, a kept import can't be wrong.
 */
import type { SignatureVerifier, TokenAlgorithm } from "@mayfly/core/token";
import type { KeyRecord } from "../registry/model.ts";
import { BoundedMap } from "./bounded-map.ts";
import { type ImportedKey, KeyImportError, type KeyVerifier } from "./key-verifier.ts";

/** About 3 KiB each: 48 MiB at most, and only for devices that connect. */
export const importedKeysMax = 16_384;

/** What stands for a key that can't be imported, so that it is tried once only. It verifies nothing. */
const unusable: ImportedKey = Object.freeze({});

export class KeyCache implements SignatureVerifier {
  readonly #port: KeyVerifier;
  readonly #imported: BoundedMap<string, ImportedKey>;

  constructor(port: KeyVerifier, max: number = importedKeysMax) {
    this.#port = port;
    this.#imported = new BoundedMap(max);
  }

  get size(): number {
    return this.#imported.size;
  }

  verify(alg: TokenAlgorithm, handle: unknown, signingInput: Uint8Array, signature: Uint8Array): boolean {
    const key = this.#importOnce(alg, handle as KeyRecord);
    return key !== unusable && this.#port.verify(alg, key, signingInput, signature);
  }

  verifyDummy(alg: TokenAlgorithm, signingInput: Uint8Array, signature: Uint8Array): void {
    this.#port.verifyDummy(alg, signingInput, signature);
  }

  #importOnce(alg: TokenAlgorithm, record: KeyRecord): ImportedKey {
    const name = `${alg}:${record.fingerprint}`;
    const kept = this.#imported.find(name);
    if (kept !== undefined) return kept;
    const key = this.#import(alg, record.pem);
    this.#imported.set(name, key);
    return key;
  }

  #import(alg: TokenAlgorithm, pem: string): ImportedKey {
    try {
      return this.#port.importKey(pem, alg);
    } catch (error) {
      if (error instanceof KeyImportError) return unusable;
      throw error;
    }
  }
}
