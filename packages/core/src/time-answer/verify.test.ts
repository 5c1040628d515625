/** Verification of signed time: what is believed, how far, and everything that is not. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { nodeSha256 } from "../../test/node-verifier.ts";
import { answerTime, delegate, makeTimeKey, PlatformTimeVerifier } from "../../test/time-keys.ts";
import {
  type DigestVerifier,
  delegationMillisMax,
  TimeAnswerError,
  type TimeAnswerErrorCode,
  type TimeExpectation,
  verifyTimeAnswer,
} from "./index.ts";

const begin = 1_800_000_000_000;
const [current, next, stranger, online] = [makeTimeKey(), makeTimeKey(), makeTimeKey(), makeTimeKey()];
const week = { publicKey: online.point, notBeforeMillis: begin, notAfterMillis: begin + 7 * 86_400_000 };
const told = { nonce: new Uint8Array(32).fill(0x11), timeMillis: begin + 5_000, radiusMillis: 1_000 };
const expected: TimeExpectation = {
  nonce: told.nonce,
  pins: [current.point, next.point],
  roundTripMillis: 300,
  limitMillis: 10_000,
};
const good = answerTime(online, delegate(current, week), told);

async function refusal(
  bytes: Uint8Array,
  changes: Partial<TimeExpectation> = {},
  verifier = new PlatformTimeVerifier(),
): Promise<TimeAnswerErrorCode> {
  try {
    await verifyTimeAnswer(bytes, { ...expected, ...changes }, { verifier, sha256: nodeSha256 });
  } catch (error) {
    assert.ok(error instanceof TimeAnswerError, String(error));
    return error.code;
  }
  assert.fail("the answer was taken");
}

const ports = { verifier: new PlatformTimeVerifier(), sha256: nodeSha256 };

test("the time at the receipt is the time told plus half the round trip, known to that half and the radius", async () => {
  assert.deepEqual(await verifyTimeAnswer(good, expected, ports), {
    now: (begin + 5_150) / 1000,
    uncertaintySeconds: 1.15,
    pin: 0,
    delegationEnds: week.notAfterMillis / 1000,
  });
});

test("the true time is within the uncertainty whenever the bridge answered during the round trip", async () => {
  const roundTrips = fc.nat({ max: 5_000 });
  const parts = fc.double({ min: 0, max: 1, noNaN: true });
  const errors = fc.integer({ min: -1_000, max: 1_000 });
  await fc.assert(
    fc.asyncProperty(roundTrips, parts, errors, async (roundTripMillis, part, error) => {
      const trueAtAnswer = told.timeMillis + error;
      const trueAtReceipt = trueAtAnswer + roundTripMillis * (1 - part);

      const { now, uncertaintySeconds } = await verifyTimeAnswer(
        good,
        { ...expected, roundTripMillis },
        ports,
      );

      assert.ok(Math.abs(now * 1000 - trueAtReceipt) <= uncertaintySeconds * 1000 + 0.001);
    }),
    { numRuns: 30 },
  );
});

test("the next root vouches as well as the current one, and is told apart", async () => {
  const answer = answerTime(online, delegate(next, week), told);

  assert.equal((await verifyTimeAnswer(answer, expected, ports)).pin, 1);
});

test("a verifier that takes digests, as a chip does, is asked with the digest", async () => {
  const asked: number[] = [];
  const chip: DigestVerifier = {
    verifyDigest: async (_key, digest) => {
      asked.push(digest.length);
      return true;
    },
  };

  await verifyTimeAnswer(good, expected, { verifier: chip, sha256: nodeSha256 });

  assert.deepEqual(asked, [32, 32]);
});

const atBounds: readonly [string, number, TimeAnswerErrorCode | "taken"][] = [
  ["at the delegation's begin", week.notBeforeMillis, "taken"],
  ["a millisecond before the delegation's begin", week.notBeforeMillis - 1, "time_outside_delegation"],
  ["at the delegation's end", week.notAfterMillis, "taken"],
  ["a millisecond after the delegation's end", week.notAfterMillis + 1, "time_outside_delegation"],
];
for (const [what, timeMillis, outcome] of atBounds) {
  test(`a time ${what} is ${outcome}`, async () => {
    const answer = answerTime(online, delegate(current, week), { ...told, timeMillis });

    const verdict =
      outcome === "taken"
        ? (await verifyTimeAnswer(answer, expected, ports)).now > 0 && "taken"
        : await refusal(answer);

    assert.equal(verdict, outcome);
  });
}

test("an uncertainty of exactly the limit is taken, and a little more is refused", async () => {
  const exact = { ...expected, roundTripMillis: 300, limitMillis: 1_150 };

  assert.equal((await verifyTimeAnswer(good, exact, ports)).uncertaintySeconds, 1.15);
  assert.equal(await refusal(good, { ...exact, roundTripMillis: 301 }), "time_too_uncertain");
});

test("a radius above the limit is refused however short the round trip", async () => {
  const answer = answerTime(online, delegate(current, week), { ...told, radiusMillis: 10_001 });

  assert.equal(await refusal(answer, { roundTripMillis: 0 }), "time_too_uncertain");
});

test("an answer to another nonce, such as a recorded one, is refused before any signature is checked", async () => {
  const verifier = new PlatformTimeVerifier();

  const code = await refusal(good, { nonce: new Uint8Array(32).fill(0x12) }, verifier);

  assert.deepEqual([code, verifier.asked], ["time_nonce_mismatch", 0]);
});

test("a delegation by a root that is not pinned is refused", async () => {
  const answer = answerTime(online, delegate(stranger, week), told);

  assert.equal(await refusal(answer), "time_delegation_signature_invalid");
});

test("an online key cannot delegate to itself", async () => {
  assert.equal(
    await refusal(answerTime(online, delegate(online, week), told)),
    "time_delegation_signature_invalid",
  );
});

test("a time signed by another key than the delegated one, even the root, is refused", async () => {
  for (const key of [stranger, current]) {
    assert.equal(await refusal(answerTime(key, delegate(current, week), told)), "time_signature_invalid");
  }
});

test("a delegation of more than 30 days is refused even when a pinned root has signed it", async () => {
  const long = Buffer.from(delegate(current, week));
  long.writeBigUInt64BE(BigInt(begin + delegationMillisMax + 1), 98);
  const message = Uint8Array.from(long.subarray(0, 106));
  const signed = Uint8Array.from([...message, ...current.sign(message)]);

  assert.equal(await refusal(answerTime(online, signed, told)), "time_delegation_too_long");
});

test("a signature of r = s = 0 is refused without asking the verifier", async () => {
  const yes: DigestVerifier = { verifyDigest: () => true };
  const answer = good.slice();
  answer.fill(0, 59, 123);

  await assert.rejects(verifyTimeAnswer(answer, expected, { verifier: yes, sha256: nodeSha256 }), {
    code: "time_signature_invalid",
  });
});

test("every flipped bit of an answer is a typed refusal", async () => {
  for (let bit = 0; bit < good.length * 8; bit++) {
    const flipped = good.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));

    // `refusal` fails on anything that is not one.
    assert.match(await refusal(flipped), /^time_/);
  }
});

test("any bytes at all are a typed refusal", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => void (await refusal(bytes))),
  );
});

test("an expectation that makes no sense is a bug, not a refusal", async () => {
  const wrong: readonly Partial<TimeExpectation>[] = [
    { nonce: new Uint8Array(31) },
    { pins: [] },
    { pins: [current.point, next.point, stranger.point] },
    { pins: [new Uint8Array(65)] },
    { roundTripMillis: -1 },
    { roundTripMillis: Number.NaN },
    { limitMillis: Number.NaN },
  ];

  for (const changes of wrong) {
    await assert.rejects(verifyTimeAnswer(good, { ...expected, ...changes }, ports), RangeError);
  }
});
