import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthenticationAttempt, AuthenticationLog } from "@mayfly/core/admin";
import { describeClock, describeRefusals } from "./authentication-words.ts";
import { describeLog } from "./commands/device-auth-log.ts";

const now = 1_700_000_000;

function attempt(secondsAgo: number, change: Partial<AuthenticationAttempt> = {}): AuthenticationAttempt {
  const time = new Date((now - secondsAgo) * 1000).toISOString();
  return {
    kind: "attempt",
    firstTime: time,
    lastTime: time,
    attempts: 1,
    bridge: "mqtt",
    purpose: "connect",
    outcome: "token_expired",
    authenticity: "authentic",
    firstSeen: true,
    keyId: "k",
    slot: 2,
    offsetSeconds: -7_500,
    remoteAddress: "192.0.2.1",
    ...change,
  };
}

const clock = { offsetSeconds: -7_500, samples: 3, asOfTime: "2023-11-14T22:10:20.000Z" };

test("an authentic refusal for the time says how far the clock is off", () => {
  const log = { records: [attempt(180)], clock };

  assert.deepEqual(describeRefusals(log, now), [
    "refused 3 min ago: the token had expired; its clock is 2 h 5 min behind (authentic)",
  ]);
});

test("a refusal nobody proved says nothing about the clock, and the last authentic one stands beside it", () => {
  const stranger = attempt(10, {
    outcome: "token_signature_invalid",
    authenticity: "unauthenticated",
    remoteAddress: "198.51.100.7",
  });

  assert.deepEqual(describeRefusals({ records: [stranger], clock }, now), [
    "refused 10 s ago: no key of the device made the signature (from 198.51.100.7, who proved no key)",
  ]);
  assert.deepEqual(describeRefusals({ records: [stranger, attempt(180)], clock }, now).slice(1), [
    "refused 3 min ago: the token had expired; its clock is 2 h 5 min behind (authentic)",
  ]);
});

test("a refusal that is over says so, and another reason than time says nothing of the clock", () => {
  const records = [attempt(5, { outcome: "accepted" }), attempt(60, { outcome: "key_retired" })];

  assert.deepEqual(describeRefusals({ records, clock }, now), [
    "refused 1 min ago: its key is retired (authentic); accepted since",
  ]);
});

test("nothing is said of a clock nobody knows, and a right one is called right", () => {
  assert.deepEqual(describeRefusals({ records: [attempt(180)] }, now), [
    "refused 3 min ago: the token had expired (authentic)",
  ]);
  assert.equal(describeClock({ ...clock, offsetSeconds: -4.9 }), "its clock is right, to 5 s");
  assert.equal(describeClock({ ...clock, offsetSeconds: 90 }), "its clock is 1 min 30 s ahead");
});

test("the log is a table, evidence among the attempts, and below it the words", () => {
  const log: AuthenticationLog = {
    records: [
      {
        kind: "evidence",
        time: "2023-11-14T22:13:00.000Z",
        evidence: "token_reused",
        remoteAddresses: ["192.0.2.1", "198.51.100.7"],
        keyId: "k",
        otherDevice: "projects/mayfly/locations/lab/registries/plant/devices/moss",
      },
      attempt(180, { attempts: 7, tlsVersion: "TLSv1.3", tlsResumed: true }),
    ],
    clock,
  };

  const lines = describeLog("fern", log, now).split("\n");

  assert.match(
    lines[1] ?? "",
    /evidence +key k .*a token of this device came under another name, projects\/.*\/devices\/moss: 192\.0\.2\.1 and 198\.51\.100\.7$/,
  );
  assert.match(
    lines[2] ?? "",
    /^2023-11-14T22:10:20\.000Z +7 {2}mqtt connect {2}key k, slot 2 +-7500 s {2}192\.0\.2\.1, TLSv1\.3 resumed +the token had expired$/,
  );
  assert.deepEqual(lines.slice(4), [
    "refused 3 min ago: the token had expired; its clock is 2 h 5 min behind (authentic)",
    "its clock is 2 h 5 min behind (authentic, by 3 tokens until 2023-11-14T22:10:20.000Z)",
  ]);
  assert.equal(describeLog("fern", { records: [] }, now), "nobody has come as fern yet");
});
