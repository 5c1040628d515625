import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hexDecode } from "../bytes.ts";
import { findEs256Malformation } from "./ecdsa-range.ts";

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function signatureOf(r: bigint, s: bigint): Uint8Array {
  return hexDecode(r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0"));
}

const scalar = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  fc.bigInt({ min: -3n, max: 3n }).map((near) => order + near),
  fc.bigInt({ min: 0n, max: 3n }),
  fc.nat(255).map((bit) => 1n << BigInt(bit)),
  fc.nat(255).map((bit) => order ^ (1n << BigInt(bit))),
);

test("r and s are in range exactly when arithmetic says 1 to n - 1", () => {
  fc.assert(
    fc.property(scalar, scalar, (r, s) => {
      const isGood = r > 0n && r < order && s > 0n && s < order;

      assert.equal(findEs256Malformation(signatureOf(r, s)), isGood ? undefined : "range");
    }),
    { numRuns: 1000 },
  );
});

for (const [name, r, s] of [
  ["r is 0", 0n, 1n],
  ["s is 0", 1n, 0n],
  ["both are 0", 0n, 0n],
  ["r is n", order, 1n],
  ["s is n", 1n, order],
  ["r is n + 1", order + 1n, 1n],
  ["all bits are set", 2n ** 256n - 1n, 2n ** 256n - 1n],
] as const) {
  test(`a signature is out of range when ${name}`, () => {
    assert.equal(findEs256Malformation(signatureOf(r, s)), "range");
  });
}

test("n - 1 and 1 are in range", () => {
  assert.equal(findEs256Malformation(signatureOf(order - 1n, 1n)), undefined);
});

test("other lengths are refused, and a DER signature by name", () => {
  assert.equal(findEs256Malformation(new Uint8Array(0)), "length");
  assert.equal(findEs256Malformation(new Uint8Array(63).fill(1)), "length");
  assert.equal(findEs256Malformation(new Uint8Array(65).fill(1)), "length");
  assert.equal(findEs256Malformation(hexDecode("3006020101020101")), "der");
});
