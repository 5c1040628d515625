/**
 * Signatures on Node: `node:crypto`, synchronous, with keys kept as `KeyObject`s.
 *
 * Also remembers, by digest, which signatures it found good: a device that reconnects within the life of its
 * token costs a hash, not a curve. That is safe whatever becomes of the key, because it says only "this key
 * signed these bytes"; whether the key may speak is decided anew each time.
 */
import { constants, createPublicKey, hash, KeyObject, verify, X509Certificate } from "node:crypto";
import { BoundedMap } from "../auth/bounded-map.ts";
import { type ImportedKey, KeyImportError, type KeyVerifier, type TokenAlgorithm } from "../auth/key-verifier.ts";

/** Digests of good signatures kept; about 150 bytes each. */
export const goodSignaturesMax = 65_536;

// A point and a modulus of nobody's: public keys whose private half was thrown away when they were made.
