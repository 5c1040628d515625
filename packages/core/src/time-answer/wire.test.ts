/** Request, delegation and answer on the wire: one form each, at the documented offsets. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { answerTime, delegate, makeTimeKey } from "../../test/time-keys.ts";
import { hexEncode } from "../bytes.ts";
import {
  decodeDelegation,
  decodeTimeAnswer,
  decodeTimeRequest,
  delegationBytes,
  delegationMillisMax,
  encodeDelegationMessage,
  encodeTimeMessage,
  encodeTimeRequest,
  joinTimeAnswer,
  radiusMillisMax,
  TimeAnswerError,
  type TimeAnswerErrorCode,
  timeAnswerBytes,
  timeRequestBytes,
} from "./index.ts";
import { instantMillisMax } from "./instant.ts";

const nonces = fc.uint8Array({ minLength: 32, maxLength: 32 });
const instants = fc.nat({ max: instantMillisMax });
const root = makeTimeKey();
const online = makeTimeKey();

function codeOf(run: () => unknown): TimeAnswerErrorCode {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof TimeAnswerError, String(error));
    return error.code;
  }
  assert.fail("nothing was thrown");
}

test("a request is 293 bytes: the prefix, the nonce, zeros", () => {
  const request = encodeTimeRequest(new Uint8Array(32).fill(0xab));

  assert.equal(
    hexEncode(request),
    hexEncode(Buffer.from("mayfly-time-request-v1\0")) + "ab".repeat(32) + "00".repeat(238),
  );
});

test("a request gives back its nonce, and its bytes", () => {
  fc.assert(
    fc.property(nonces, (nonce) => {
      const request = encodeTimeRequest(nonce);

      const decoded = decodeTimeRequest(request);

      assert.deepEqual(decoded, nonce);
      assert.deepEqual(encodeTimeRequest(decoded), request);
    }),
  );
});

test("a request of any other length is refused", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 600 }).filter((length) => length !== timeRequestBytes),
      (length) => {
        const bytes = new Uint8Array(length);
        bytes.set(encodeTimeRequest(new Uint8Array(32)).subarray(0, length));

        assert.equal(
          codeOf(() => decodeTimeRequest(bytes)),
          "time_request_malformed",
        );
      },
    ),
  );
});

test("every flipped bit of a request outside its nonce is refused", () => {
  const request = encodeTimeRequest(new Uint8Array(32).fill(7));
  for (let bit = 0; bit < request.length * 8; bit++) {
    const isInNonce = bit >= 23 * 8 && bit < 55 * 8;
    if (isInNonce) continue;

    const code = codeOf(() => decodeTimeRequest(flip(request, bit)));

    assert.equal(code, "time_request_malformed");
  }
});

test("an answer is never longer than the request for it", () => {
  assert.equal(timeAnswerBytes, 293);
  assert.ok(timeAnswerBytes <= timeRequestBytes);
});

test("an answer's parts stand at the documented offsets", () => {
  const delegation = delegate(root, {
    publicKey: online.point,
    notBeforeMillis: 0x0102_0304_0506,
    notAfterMillis: 0x0102_0304_0507,
  });

  const answer = answerTime(online, delegation, {
    nonce: new Uint8Array(32).fill(0xab),
    timeMillis: 0x0102_0304_0506,
    radiusMillis: 0x0a0b0c0d,
  });

  const hex = hexEncode(answer);
  const at = (start: number, end: number) => hex.slice(2 * start, 2 * end);
  assert.equal(answer.length, 293);
  assert.equal(at(0, 15), hexEncode(Buffer.from("mayfly-time-v1\0")));
  assert.equal(at(15, 47), "ab".repeat(32));
  assert.equal(at(47, 55), "0000010203040506");
  assert.equal(at(55, 59), "0a0b0c0d");
  assert.equal(at(123, 149), hexEncode(Buffer.from("mayfly-time-delegation-v1\0")));
  assert.equal(at(149, 213), hexEncode(online.point));
  assert.equal(at(213, 229), "00000102030405060000010203040507");
  assert.equal(at(123, 293), hexEncode(delegation));
});

test("an answer gives back what was told, also out of a larger buffer", () => {
  const told = fc
    .tuple(nonces, instants, fc.nat({ max: radiusMillisMax }))
    .map(([nonce, timeMillis, radiusMillis]) => ({ nonce, timeMillis, radiusMillis }));
  const delegation = delegate(root, { publicKey: online.point, notBeforeMillis: 5, notAfterMillis: 9 });
  fc.assert(
    fc.property(told, (facts) => {
      const message = encodeTimeMessage(facts);
      const answer = joinTimeAnswer(message, new Uint8Array(64).fill(1), delegation);
      const larger = new Uint8Array(answer.length + 14).fill(0xee);
      larger.set(answer, 7);

      const { nonce, timeMillis, radiusMillis, signed } = decodeTimeAnswer(
        larger.subarray(7, 7 + answer.length),
      );

      assert.deepEqual({ nonce, timeMillis, radiusMillis }, facts);
      assert.deepEqual(signed.message, message);
    }),
  );
});

test("a delegation gives back its key and its bounds", () => {
  fc.assert(
    fc.property(instants, fc.nat({ max: delegationMillisMax }), (notBeforeMillis, lifetimeMillis) => {
      const notAfterMillis = Math.min(notBeforeMillis + lifetimeMillis, instantMillisMax);
      const facts = { publicKey: online.point, notBeforeMillis, notAfterMillis };
      const bytes = new Uint8Array(delegationBytes);
      bytes.set(encodeDelegationMessage(facts));

      assert.deepEqual(decodeDelegation(bytes), facts);
    }),
  );
});

const bounds: readonly [string, number, number, TimeAnswerErrorCode | "taken"][] = [
  ["of exactly 30 days", 1_000, 1_000 + delegationMillisMax, "taken"],
  ["of one millisecond more than 30 days", 1_000, 1_001 + delegationMillisMax, "time_delegation_too_long"],
  ["of one instant", 1_000, 1_000, "taken"],
  ["that ends before it begins", 1_000, 999, "time_delegation_malformed"],
  ["up to the end of the year 9999", instantMillisMax - 1, instantMillisMax, "taken"],
  ["beyond the year 9999", instantMillisMax, instantMillisMax + 1, "time_delegation_malformed"],
];
for (const [what, notBeforeMillis, notAfterMillis, outcome] of bounds) {
  test(`a delegation ${what} is ${outcome === "taken" ? "taken" : `refused: ${outcome}`}`, () => {
    const facts = { publicKey: online.point, notBeforeMillis, notAfterMillis };
    const bytes = writtenByHand(facts);

    if (outcome === "taken") {
      assert.deepEqual(decodeDelegation(bytes), facts);
      assert.deepEqual(encodeDelegationMessage(facts), bytes.slice(0, 106));
    } else {
      assert.equal(
        codeOf(() => decodeDelegation(bytes)),
        outcome,
      );
      assert.throws(() => encodeDelegationMessage(facts), RangeError);
    }
  });
}

test("every truncation of an answer, and of a delegation, is refused", () => {
  const delegation = delegate(root, { publicKey: online.point, notBeforeMillis: 5, notAfterMillis: 9 });
  const told = { nonce: new Uint8Array(32), timeMillis: 7, radiusMillis: 1 };
  const answer = answerTime(online, delegation, told);

  for (let length = 0; length < answer.length; length++) {
    assert.equal(
      codeOf(() => decodeTimeAnswer(answer.subarray(0, length))),
      "time_answer_malformed",
    );
  }
  for (let length = 0; length < delegation.length; length++) {
    assert.equal(
      codeOf(() => decodeDelegation(delegation.subarray(0, length))),
      "time_delegation_malformed",
    );
  }
});

test("what cannot stand on the wire is not written: a bug of the caller, said at once", () => {
  const nonce = new Uint8Array(32);
  const writings = [
    () => encodeTimeRequest(new Uint8Array(31)),
    () => encodeTimeMessage({ nonce: new Uint8Array(33), timeMillis: 0, radiusMillis: 0 }),
    () => encodeTimeMessage({ nonce, timeMillis: 0.5, radiusMillis: 0 }),
    () => encodeTimeMessage({ nonce, timeMillis: -1, radiusMillis: 0 }),
    () => encodeTimeMessage({ nonce, timeMillis: instantMillisMax + 1, radiusMillis: 0 }),
    () => encodeTimeMessage({ nonce, timeMillis: 0, radiusMillis: radiusMillisMax + 1 }),
    () => encodeTimeMessage({ nonce, timeMillis: 0, radiusMillis: Number.NaN }),
    () => encodeDelegationMessage({ publicKey: nonce, notBeforeMillis: 0, notAfterMillis: 1 }),
    () =>
      encodeDelegationMessage({ publicKey: online.point, notBeforeMillis: 0, notAfterMillis: Number.NaN }),
    () => joinTimeAnswer(new Uint8Array(58), new Uint8Array(65), new Uint8Array(170)),
  ];

  for (const write of writings) assert.throws(write, RangeError);
});

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}

/** A delegation put together without the encoder, which would refuse some. */
function writtenByHand(facts: {
  readonly publicKey: Uint8Array;
  readonly notBeforeMillis: number;
  readonly notAfterMillis: number;
}): Uint8Array {
  const bytes = Buffer.alloc(delegationBytes);
  bytes.write("mayfly-time-delegation-v1\0", "latin1");
  bytes.set(facts.publicKey, 26);
  bytes.writeBigUInt64BE(BigInt(facts.notBeforeMillis), 90);
  bytes.writeBigUInt64BE(BigInt(facts.notAfterMillis), 98);
  return Uint8Array.from(bytes);
}
