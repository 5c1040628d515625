import assert from "node:assert/strict";
import { test } from "node:test";
import { timeAnswerBytes } from "@mayfly/core/time-answer";
import { dayMillis, nonce, request, startMillis, timePorts, verifyAsDevice } from "../../test/time-house.ts";
import { delegationBackdateMillis } from "../host/time-key-file.ts";
import { answerRadiusMillis, createTimeAnswerer, type TimeOutcome, timeRateLimits } from "./time-answerer.ts";

function bytesOf(outcome: TimeOutcome): Uint8Array {
  assert.equal(outcome.kind, "answered", outcome.kind === "refused" ? outcome.because : "");
  return outcome.kind === "answered" ? outcome.bytes : new Uint8Array(0);
}

function because(outcome: TimeOutcome): string {
  return outcome.kind === "refused" ? outcome.because : outcome.kind;
}

test("a device that pinned the root believes the answer: the bridge's time, give or take a second", async () => {
  const ports = timePorts();
  ports.clock.wallMillis = startMillis + 123.75;

  const bytes = bytesOf(createTimeAnswerer(ports).answer(request, "192.0.2.1", "udp"));

  const { now, uncertaintySeconds } = await verifyAsDevice(bytes);
  assert.equal(now, (startMillis + 123) / 1000);
  assert.equal(uncertaintySeconds, answerRadiusMillis / 1000);
});

test("the answer is to the nonce of the request, and no longer than the request", () => {
  const bytes = bytesOf(createTimeAnswerer(timePorts()).answer(request, "192.0.2.1", "udp"));

  assert.deepEqual(bytes.slice(15, 47), nonce);
  assert.equal(bytes.length, timeAnswerBytes);
  assert.ok(bytes.length <= request.length);
});

test("no time is signed while clock_self is raised, and some is again afterwards", () => {
  const ports = timePorts();
  const answerer = createTimeAnswerer(ports);

  ports.clock.isTrusted = false;
  const raised = answerer.answer(request, "192.0.2.1", "udp");
  ports.clock.isTrusted = true;
  const lowered = answerer.answer(request, "192.0.2.1", "udp");

  assert.deepEqual([because(raised), because(lowered)], ["clock_untrusted", "answered"]);
});

test("no time is signed without an online key, and a key that comes is used at once", () => {
  const ports = timePorts();
  const answerer = createTimeAnswerer(ports);
  const { key } = ports.holder;

  ports.holder.key = undefined;
  const before = answerer.answer(request, "192.0.2.1", "https");
  ports.holder.key = key;
  const after = answerer.answer(request, "192.0.2.1", "https");

  assert.deepEqual([because(before), because(after)], ["delegation_missing", "answered"]);
});

for (const [what, wallMillis, outcome] of [
  ["at its begin", startMillis - delegationBackdateMillis, "answered"],
  ["a millisecond before its begin", startMillis - delegationBackdateMillis - 1, "outside_delegation"],
  ["at its end", startMillis - delegationBackdateMillis + 7 * dayMillis, "answered"],
  [
    "a millisecond after its end",
    startMillis - delegationBackdateMillis + 7 * dayMillis + 1,
    "outside_delegation",
  ],
] as const) {
  test(`a delegation ${what}: ${outcome}`, () => {
    const ports = timePorts();
    ports.clock.wallMillis = wallMillis;

    assert.equal(because(createTimeAnswerer(ports).answer(request, "192.0.2.1", "udp")), outcome);
  });
}

test("what is no request gets no answer and takes nothing from the sender's share", () => {
  const ports = timePorts();
  const answerer = createTimeAnswerer(ports);
  const nonsense = [new Uint8Array(0), request.subarray(0, 292), new Uint8Array(293), new Uint8Array(2_000)];

  const answers = Array.from({ length: 100 }, (_, at) =>
    answerer.answer(nonsense[at % nonsense.length] ?? request, "192.0.2.1", "udp"),
  );

  assert.deepEqual([...new Set(answers.map(because))], ["request_malformed"]);
  assert.equal(because(answerer.answer(request, "192.0.2.1", "udp")), "answered");
});

test("one source is answered 32 times at once, and then twice a second", () => {
  const ports = timePorts();
  const answerer = createTimeAnswerer(ports);
  const answered = () =>
    Array.from({ length: 100 }, () => because(answerer.answer(request, "192.0.2.1", "udp"))).filter(
      (outcome) => outcome === "answered",
    ).length;

  const atOnce = answered();
  ports.clock.monotonic = 3_000;

  assert.deepEqual([atOnce, answered()], [32, 6]);
});

test("a flood over UDP from forged addresses gets 500 signatures a second, and HTTPS keeps its own share", () => {
  const ports = timePorts();
  const answerer = createTimeAnswerer(ports);
  const flood = () =>
    Array.from({ length: 2_000 }, (_, at) =>
      because(answerer.answer(request, `198.51.${at >> 8}.${at & 255}`, "udp")),
    ).filter((outcome) => outcome === "answered").length;

  const first = flood();
  ports.clock.monotonic = 1_000;
  const second = flood();

  assert.deepEqual([first, second], [timeRateLimits.all.burst, timeRateLimits.all.perSecond]);
  assert.equal(because(answerer.answer(request, "192.0.2.1", "https")), "answered");
});

test("every request is told to the observer by way and outcome, without address or nonce", () => {
  const ports = timePorts();
  const answerer = createTimeAnswerer(ports);

  answerer.answer(request, "192.0.2.1", "udp");
  answerer.answer(new Uint8Array(3), "192.0.2.1", "https");

  assert.deepEqual(ports.told, ["udp answered", "https request_malformed"]);
});
