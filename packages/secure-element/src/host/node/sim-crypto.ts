/**
 * The simulator's mathematics on Node: OpenSSL for every operation on the curve and every hash.
 *
 * `node:crypto` signs and verifies messages, not digests, and draws its own k; the chip does neither. So:
 *
 * - Signing takes k·G from ECDH, which is the platform's point multiplication, and finishes with s = (z + r·d) / k
 *   in plain modular arithmetic.
 * - Verifying (z, r, s) under Q uses a message m of ours with hash e: in the group whose generator is (z/e)·G, the
 *   same r and s are a signature of m under the same Q, since (e/s)·(z/e)·G = (z/s)·G. X9.62 keys may name their
 *   generator, so OpenSSL does the whole of it.
 *
 * None of it is constant in time. These are the keys of a simulated chip.
 */

import { createECDH, createHash, createPublicKey, ECDH, randomBytes, verify } from "node:crypto";

import type { RunningSha256, SimCrypto } from "../../sim/sim-crypto.ts";

const CURVE = "prime256v1";
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** @returns The platform's P-256, SHA-256 and random bytes. */
export function nodeSimCrypto(): SimCrypto {
  return {
    randomBytes: (length) => Uint8Array.from(randomBytes(length)),
    startSha256: () => running(createHash("sha256")),
    publicKeyOf: (privateKey) => {
      const secret = toNumber(privateKey);
      return secret === 0n || secret >= ORDER ? undefined : multiplyGenerator(secret).slice(1);
    },
    isPublicKey,
    signDigest,
    verifyDigest,
  };
}

function running(hash: ReturnType<typeof createHash>): RunningSha256 {
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: () => Uint8Array.from(hash.digest()),
    copy: () => running(hash.copy()),
  };
}

function isPublicKey(publicKey: Uint8Array): boolean {
  try {
    ECDH.convertKey(Buffer.concat([Buffer.of(0x04), publicKey]), CURVE);
    return true;
  } catch {
    // OpenSSL's only way to say that a point is not on the curve.
    return false;
  }
}

function signDigest(privateKey: Uint8Array, digest: Uint8Array, k: Uint8Array): Uint8Array | undefined {
  const d = toNumber(privateKey);
  const secret = toNumber(k);
  if (d === 0n || d >= ORDER || secret === 0n || secret >= ORDER) return undefined;
  const r = toNumber(multiplyGenerator(secret).subarray(1, 33)) % ORDER;
  const s = (inverse(secret) * (toNumber(digest) + r * d)) % ORDER;
  return r === 0n || s === 0n ? undefined : Uint8Array.from([...toBytes(r), ...toBytes(s)]);
}

function verifyDigest(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  const z = toNumber(digest) % ORDER;
  // No generator can stand for z = 0; a digest of zeros is nobody's SHA-256.
  if (z === 0n) return false;
  const message = Buffer.from("mayfly chip sim");
  const e = toNumber(createHash("sha256").update(message).digest());
  const generator = multiplyGenerator((z * inverse(e)) % ORDER);
  const key = createPublicKey({ key: explicitSpki(generator, publicKey), format: "der", type: "spki" });
  return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}

/** @returns 04 X Y. */
function multiplyGenerator(factor: bigint): Buffer {
  const ecdh = createECDH(CURVE);
  ecdh.setPrivateKey(toBytes(factor));
  return ecdh.getPublicKey();
}

/** Extended Euclid in the integers modulo the group's order. */
function inverse(value: bigint): bigint {
  let [a, b] = [ORDER, value % ORDER];
  let [x, y] = [0n, 1n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % ORDER) + ORDER) % ORDER;
}

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, "0"), "hex");

/** SubjectPublicKeyInfo with P-256 written out (RFC 3279 §2.3.5) and another generator. */
function explicitSpki(generator: Uint8Array, publicKey: Uint8Array): Buffer {
  const prime = Buffer.from("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "hex");
  const a = Buffer.from("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc", "hex");
  const b = Buffer.from("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b", "hex");
  const primeField = der(0x06, Buffer.from("2a8648ce3d0101", "hex"));
  const ecPublicKey = der(0x06, Buffer.from("2a8648ce3d0201", "hex"));
  const one = der(0x02, Buffer.of(0x01));
  const parameters = der(
    0x30,
    one,
    der(0x30, primeField, derPositive(prime)),
    der(0x30, der(0x04, a), der(0x04, b)),
    der(0x04, generator),
    derPositive(toBytes(ORDER)),
    one,
  );
  return der(0x30, der(0x30, ecPublicKey, parameters), der(0x03, Buffer.of(0x00, 0x04), publicKey));
}

/** An INTEGER whose top bit is set, so that it wants a zero before it. */
const derPositive = (value: Uint8Array): Buffer => der(0x02, Buffer.of(0x00), value);

/** Content of up to 65535 bytes. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}
