/** The packets: what we send, and of what comes back each rule of belief by itself. */
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { type AnswerFields, ntpAnswer, ntpKiss } from "../../../test/ntp-answers.ts";
import { encodeNtpRequest, judgeNtpAnswer, type NtpVerdict } from "./ntp-packet.ts";

const build = 1_767_225_600;
const now = 1_800_000_000;
const random = { fill: (bytes: Uint8Array) => randomFillSync(bytes) };

/** Asked at 1,000 ms of the monotonic clock; the answer came `elapsedMillis` later. */
function judge(
  make: (request: Uint8Array) => Uint8Array,
  { elapsedMillis = 80, near = build }: { elapsedMillis?: number; near?: number } = {},
): NtpVerdict {
  const request = encodeNtpRequest(random);
  return judgeNtpAnswer(make(request), request, 1_000, 1_000 + elapsedMillis, near);
}

const answerWith =
  (change: Partial<AnswerFields> = {}) =>
  (request: Uint8Array): Uint8Array =>
    ntpAnswer(request, { receivedSeconds: now, ...change });

/** What became of it, in a word. */
function wordOf(verdict: NtpVerdict): string {
  if (verdict.kind === "told") return "told";
  return verdict.kind === "kiss" ? verdict.kiss : verdict.because;
}

test("a request is 48 bytes, version 4, a client's, and all zero but for 64 random bits", () => {
  const [one, other] = [encodeNtpRequest(random), encodeNtpRequest(random)];

  assert.equal(one.length, 48);
  assert.equal(one[0], 0b00_100_011);
  assert.deepEqual(one.slice(1, 40), new Uint8Array(39));
  assert.notDeepEqual(one.slice(40), other.slice(40));
});

test("an answer tells the time of its receipt, and how wrong that may be", () => {
  const verdict = judge(
    answerWith({
      transmittedSeconds: now + 0.02,
      rootDelaySeconds: 0.25,
      rootDispersionSeconds: 0.125,
    }),
  );

  assert.ok(verdict.kind === "told");
  const { atMillis, seconds, boundSeconds } = verdict.sample;
  // 80 ms elapsed of which the server took 20: a round trip of 60, half of it since the answer left.
  assert.equal(atMillis, 1_080);
  assert.ok(Math.abs(seconds - (now + 0.02 + 0.03)) < 1e-6);
  // Half the delay, half the root delay, the root dispersion, and a tick for each instant of ours.
  assert.ok(Math.abs(boundSeconds - (0.03 + 0.125 + 0.125 + 0.002)) < 1e-6);
});

test("the true time is within the bound, however long the way there and the way back", () => {
  const delays = fc.double({ min: 0, max: 0.499, noNaN: true });
  fc.assert(
    fc.property(delays, delays, fc.double({ min: 0, max: 0.5, noNaN: true }), (there, back, thinking) => {
      const elapsedMillis = Math.floor((there + thinking + back) * 1000);
      const answer = answerWith({
        receivedSeconds: now + there,
        transmittedSeconds: now + there + thinking,
        rootDelaySeconds: 0,
        rootDispersionSeconds: 0,
      });

      const verdict = judge(answer, { elapsedMillis });

      assert.ok(verdict.kind === "told");
      const trueSeconds = now + there + thinking + back;
      assert.ok(Math.abs(verdict.sample.seconds - trueSeconds) <= verdict.sample.boundSeconds);
    }),
  );
});

const rules: readonly [string, Partial<AnswerFields>, string][] = [
  ["of version 3", { version: 3 }, "told"],
  ["of version 2", { version: 2 }, "wrong_version"],
  ["of version 5", { version: 5 }, "wrong_version"],
  ["of a client, mode 3", { mode: 3 }, "wrong_mode"],
  ["of a broadcast, mode 5", { mode: 5 }, "wrong_mode"],
  ["of symmetric passive mode 2", { mode: 2 }, "wrong_mode"],
  ["of a server whose leap indicator is 3", { leap: 3 }, "unsynchronised"],
  ["that announces a leap second", { leap: 1 }, "told"],
  ["of stratum 1", { stratum: 1 }, "told"],
  ["of stratum 15", { stratum: 15 }, "told"],
  ["of stratum 16", { stratum: 16 }, "unsynchronised"],
  ["of stratum 255", { stratum: 255 }, "unsynchronised"],
  ["with the zero transmit timestamp", { isTransmitZero: true }, "zero_transmit"],
  [
    "of a server that claims to have thought longer than we waited",
    { transmittedSeconds: now + 0.1 },
    "negative_delay",
  ],
  ["that is a tick of our clock too fast", { transmittedSeconds: now + 0.0815 }, "told"],
  ["whose root delay is 2.9 s", { rootDelaySeconds: 2.9 }, "told"],
  ["whose root delay is 3 s", { rootDelaySeconds: 3 }, "too_uncertain"],
  ["whose root dispersion is 1.5 s", { rootDispersionSeconds: 1.5 }, "too_uncertain"],
  ["whose root delay of version 3 is negative", { rootDelaySeconds: 65_535.9 }, "too_uncertain"],
  ["to another question", { origin: new Uint8Array(8).fill(7) }, "wrong_origin"],
  ["to no question, its origin zero", { origin: new Uint8Array(8) }, "wrong_origin"],
];
for (const [what, change, outcome] of rules) {
  test(`an answer ${what} is ${outcome === "told" ? "taken" : `refused: ${outcome}`}`, () => {
    assert.equal(
      wordOf(judge(answerWith({ rootDelaySeconds: 0, rootDispersionSeconds: 0, ...change }))),
      outcome,
    );
  });
}

test("a round trip of a second is refused, one of a millisecond less is taken", () => {
  assert.equal(wordOf(judge(answerWith(), { elapsedMillis: 1_000 })), "long_delay");
  assert.equal(wordOf(judge(answerWith(), { elapsedMillis: 999 })), "told");
});

test("one bit of the origin is enough to make it another question's", () => {
  for (let bit = 0; bit < 64; bit++) {
    const verdict = judge((request) => {
      const answer = ntpAnswer(request, { receivedSeconds: now });
      answer[24 + (bit >> 3)] = (answer[24 + (bit >> 3)] ?? 0) ^ (1 << (bit & 7));
      return answer;
    });

    assert.equal(wordOf(verdict), "wrong_origin");
  }
});

test("every truncation, and what is longer, is no answer", () => {
  for (let length = 0; length < 48; length++) {
    assert.equal(wordOf(judge((request) => answerWith()(request).subarray(0, length))), "wrong_length");
  }
  // With a crypto-NAK, with a MAC, with an extension field: none was asked for.
  for (const more of [1, 4, 20, 28, 1_000]) {
    const longer = (request: Uint8Array) => Buffer.concat([answerWith()(request), Buffer.alloc(more)]);
    assert.equal(wordOf(judge(longer)), "wrong_length");
  }
});

const kisses: readonly [string, string][] = [
  ["DENY", "stop"],
  ["RSTR", "stop"],
  ["RATE", "slower"],
  ["INIT", "unknown_kiss"],
  ["\0\0\0\0", "unsynchronised"],
  ["deny", "unknown_kiss"],
];
for (const [code, outcome] of kisses) {
  test(`the kiss code ${JSON.stringify(code)} is ${outcome}`, () => {
    assert.equal(wordOf(judge((request) => ntpKiss(request, code))), outcome);
  });
}

test("a kiss that answers another question is not obeyed", () => {
  const origin = new Uint8Array(8).fill(1);

  assert.equal(wordOf(judge((request) => ntpKiss(request, "DENY", { origin }))), "wrong_origin");
});

test("an answer of 2040, after the seconds wrapped, is read as 2040", () => {
  const in2040 = Date.UTC(2040, 5, 1) / 1000;

  const verdict = judge(answerWith({ receivedSeconds: in2040 }));

  assert.ok(verdict.kind === "told");
  assert.ok(Math.abs(verdict.sample.seconds - in2040 - 0.04) < 1e-6);
});

test("whatever 48 bytes come with our origin, the verdict is one of the set and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 48, maxLength: 48 }), (bytes) => {
      const verdict = judge((request) => {
        bytes.set(request.subarray(40), 24);
        return bytes;
      });

      if (verdict.kind !== "told") return;
      const { seconds, boundSeconds } = verdict.sample;
      assert.ok(Number.isFinite(seconds) && boundSeconds > 0 && boundSeconds < 1.5);
    }),
  );
});
