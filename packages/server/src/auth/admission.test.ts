import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceName } from "@mayfly/core";
import { policyPresets, refusalOnWire, TokenError } from "@mayfly/core/token";
import { DeviceKey, registryRef, startSeconds, VirtualTime } from "../../test/bridge-world.ts";
import { createNodeKeyVerifier } from "../host/node-key-verifier.ts";
import type { AdmissionRecord, KeyRecord } from "../registry/model.ts";
import type { TimeTestimony } from "../time/time-witnesses.ts";
import {
  type AdmissionOutcome,
  type AdmissionRequest,
  createAdmission,
  timeFailureIntervalMillis,
  timeFailuresMax,
} from "./admission.ts";
import type { AlarmFacts } from "./alarm.ts";
import {
  type Attempt,
  AttemptBook,
  type AttemptObserver,
  acceptedNoteMillis,
  provedSeriesMax,
  refusedNoteMillis,
  seriesAtOnceMax,
  seriesIntervalMillis,
  unprovedSeriesMax,
} from "./attempt-book.ts";
import type { AuthenticationUpdate } from "./authentication-record.ts";
import { provenFailuresMax, sourceFailuresMax } from "./failure-limits.ts";
import type { KeyVerifier } from "./key-verifier.ts";
import { VerifiedTokens } from "./verified-tokens.ts";

const deviceName = { ...registryRef, device: "fern" };

/** A desk over one record, and what its verifier was asked to do. */
function deskWith(record: AdmissionRecord | undefined | ((name: DeviceName) => AdmissionRecord | undefined)) {
  const time = new VirtualTime();
  const heard: TimeTestimony[] = [];
  const verifier = createNodeKeyVerifier();
  const counts = { imports: 0, verified: 0, dummies: 0 };
  const counting: KeyVerifier = {
    importKey(pem, alg) {
      counts.imports += 1;
      return verifier.importKey(pem, alg);
    },
    verify(...asked) {
      counts.verified += 1;
      return verifier.verify(...asked);
    },
    verifyDummy(...asked) {
      counts.dummies += 1;
      verifier.verifyDummy(...asked);
    },
  };
  const records: AuthenticationUpdate[] = [];
  const attempts: Parameters<AttemptObserver["attempted"]>[0][] = [];
  const alarms: AlarmFacts[] = [];
  const admission = createAdmission({
    clock: time,
    registry: {
      lookUpAdmission: (name, answer) => answer(typeof record === "function" ? record(name) : record),
      recordAuthentication: (update) => records.push(update),
    },
    verifier: counting,
    testimony: { hear: (testimony) => heard.push(testimony) },
    observer: {
      verified: () => undefined,
      attempted: (facts) => attempts.push(facts),
      alarm: (facts) => alarms.push(facts),
    },
  });
  const admit = (token: string, extra: Partial<AdmissionRequest> = {}): AdmissionOutcome => {
    let outcome: AdmissionOutcome | undefined;
    const peer = { remoteAddress: "192.0.2.1" };
    const way = { bridge: "http", purpose: "request", peer } as const;
    admission.admitDeviceToken({ deviceName, token, ownAgent: false, ...way, ...extra }, (answer) => {
      outcome = answer;
    });
    assert.ok(outcome);
    return outcome;
  };
  return { admission, admit, counts, heard, time, records, attempts, alarms };
}

function recordWith(keys: readonly KeyRecord[], blocked = false): AdmissionRecord {
  return {
    registry: {
      ...registryRef,
      numId: "1",
      policy: policyPresets.strict,
      mqttEnabled: true,
      httpEnabled: true,
      eventNotificationConfigs: [],
      stateNotificationTopic: "",
      logLevel: "NONE",
    },
    device: { ...plainDevice, blocked, keys },
  };
}

const plainDevice = {
  ...{ deviceId: "fern", numId: "2", blocked: false },
  gatewayType: "GATEWAY_TYPE_UNSPECIFIED",
  gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
  logLevel: "LOG_LEVEL_UNSPECIFIED",
} as const;

const codeOf = (outcome: AdmissionOutcome) =>
  outcome.kind === "refused" && outcome.because instanceof TokenError ? outcome.because.code : outcome.kind;

test("a principal carries who, by which key, and until when", () => {
  const key = new DeviceKey("k", { expiresAtSeconds: startSeconds + 100 });
  const { admit } = deskWith(recordWith([key.record]));

  const outcome = admit(key.token());

  assert.equal(outcome.kind, "admitted");
  const { principal } = outcome;
  assert.deepEqual(
    [principal.deviceId, principal.deviceNumId, principal.keyId, principal.registry],
    ["fern", "2", "k", registryRef],
  );
  assert.deepEqual(
    [principal.deadlineSeconds, principal.deadlineBecause],
    [startSeconds + 100, "key_expired"],
  );
});

test("the last good key is tried first, and no other is imported", () => {
  const keys = [new DeviceKey("a"), new DeviceKey("b"), new DeviceKey("c")] as const;
  const { admit, counts } = deskWith(recordWith(keys.map(({ record }) => record)));
  admit(keys[2].token());
  const first = { ...counts };

  admit(keys[2].token());

  assert.deepEqual([first.verified, counts.verified - first.verified], [3, 1]);
  assert.equal(counts.imports, 3);
});

test("where there is no key to try, a dummy verification takes its place", () => {
  const key = new DeviceKey("k");
  const { device: _, ...noDevice } = recordWith([]);
  const desks = [
    deskWith(undefined),
    deskWith(noDevice),
    deskWith(recordWith([key.record], true)),
    deskWith(recordWith([])),
  ];

  const codes = desks.map(({ admit }) => codeOf(admit(key.token())));

  assert.deepEqual(codes, ["device_unknown", "device_unknown", "device_blocked", "key_none"]);
  for (const { counts } of desks) assert.deepEqual([counts.dummies, counts.verified], [1, 0]);
});

test("an expired token costs a stranger's name what it costs a known one: a verification, then none for 10 s", async () => {
  const { device: _, ...noDevice } = recordWith([]);
  const desks = [
    deskWith(recordWith([new DeviceKey("k").record])),
    deskWith(recordWith([new DeviceKey("k").record], true)),
    deskWith(recordWith([])),
    deskWith(noDevice),
    deskWith(undefined),
  ];
  const expired = new DeviceKey("other").token({ iat: startSeconds - 7_200 });

  const work = await Promise.all(
    desks.map(async ({ admit, counts, time }) => {
      const done: number[] = [];
      for (let probe = 0; probe < 4; probe += 1) {
        assert.equal(codeOf(admit(expired)), "token_expired");
        done.push(counts.verified + counts.dummies);
        await time.advance(timeFailureIntervalMillis / 2);
      }
      return done;
    }),
  );

  for (const done of work) assert.deepEqual(done, [1, 1, 2, 2]);
});

test("an authentic token's word on the time is heard, be it taken or refused for its time alone", async () => {
  const key = new DeviceKey("k");
  const { admit, heard, time } = deskWith(recordWith([key.record]));
  const issued = [startSeconds - 30, startSeconds + 7_200, startSeconds - 7_200];

  const codes: string[] = [];
  for (const iat of issued) {
    codes.push(codeOf(admit(key.token({ iat, u: 30 }))));
    await time.advance(timeFailureIntervalMillis);
  }

  assert.deepEqual(codes, ["admitted", "token_from_future", "token_expired"]);
  assert.deepEqual(
    heard,
    issued.map((issuedAtSeconds) => ({ deviceNumId: "2", issuedAtSeconds, uncertaintySeconds: 30 })),
  );
});

test("what a key of the device did not sign is no testimony", async () => {
  const { admit, heard, time } = deskWith(recordWith([new DeviceKey("k").record]));
  const stranger = new DeviceKey("stranger");

  admit(stranger.token());
  await time.advance(timeFailureIntervalMillis);
  admit(stranger.token({ iat: startSeconds - 7_200 }));

  assert.deepEqual(heard, []);
});

test("names that were tried with a wrong time are remembered up to a maximum", () => {
  const { admission, admit } = deskWith(undefined);
  // A signature of the wrong form spares the test 16,384 verifications.
  const expired = new DeviceKey("other").token({ iat: startSeconds - 7_200 }).replace(/[^.]*$/, "AAAA");

  for (let n = 0; n < timeFailuresMax + 3; n += 1) {
    admit(expired, { deviceName: { ...deviceName, device: `fern-${n}` } });
  }

  assert.equal(admission.counts().timeFailures, timeFailuresMax);
});

test("a bridge that is switched off is told only to a peer that proved a key", () => {
  const key = new DeviceKey("k");
  const record = recordWith([key.record]);
  const { admit } = deskWith({ ...record, registry: { ...record.registry, httpEnabled: false } });

  const proved = admit(key.token());
  const stranger = admit(new DeviceKey("other").token());
  const byMqtt = admit(key.token(), { bridge: "mqtt" });

  assert.deepEqual(
    [proved.kind === "refused" && proved.because, codeOf(stranger), byMqtt.kind],
    ["bridge_disabled", "token_signature_invalid", "admitted"],
  );
});

test("an X.509 format means the algorithm it names", () => {
  const key = new DeviceKey("k", { format: "RSA_X509_PEM" });
  const { admit } = deskWith(recordWith([key.record]));

  assert.equal(codeOf(admit(key.token())), "key_none");
});

test("hints are counted, and only for devices that came", () => {
  const key = new DeviceKey("k");
  const { admission, admit } = deskWith(recordWith([key.record]));
  const before = admission.counts();

  admit(key.token());
  admit(key.token({ iat: startSeconds - 7_200 }));

  const none = { verifiedTokens: 0, failingSources: 0, attemptSeries: 0 };
  assert.deepEqual(before, { keysImported: 0, lastKeys: 0, timeFailures: 0, ...none });
  const now = { verifiedTokens: 2, failingSources: 0, attemptSeries: 2 };
  assert.deepEqual(admission.counts(), { keysImported: 1, lastKeys: 1, timeFailures: 1, ...now });
});

test("the very same token costs no second verification, and every other check is made anew", async () => {
  const key = new DeviceKey("k");
  const blocked = { ...recordWith([key.record], true) };
  const retired = recordWith([key.inState("retired")]);
  const present = { record: recordWith([key.record]) };
  const { admit, counts, time } = deskWith(() => present.record);
  const token = key.token();
  admit(token);

  const again = admit(token);
  present.record = blocked;
  const whenBlocked = admit(token);
  present.record = retired;
  const whenRetired = admit(token);
  present.record = recordWith([key.record]);
  const wrongAudience = admit(token, { deviceName: { ...deviceName, project: "other" } });
  await time.advance(3_600_000);
  const whenExpired = admit(token);

  assert.equal(again.kind, "admitted");
  assert.deepEqual([whenBlocked, whenRetired, wrongAudience, whenExpired].map(codeOf), [
    "device_blocked",
    "key_retired",
    "token_audience_mismatch",
    "token_expired",
  ]);
  assert.equal(counts.verified, 1);
});

test("a token that verified with a key is checked anew when that key is gone", () => {
  const key = new DeviceKey("k");
  const present = { record: recordWith([key.record]) };
  const { admit, counts } = deskWith(() => present.record);
  const token = key.token();
  admit(token);

  present.record = recordWith([new DeviceKey("k").record]);
  const outcome = admit(token);

  assert.equal(codeOf(outcome), "token_signature_invalid");
  assert.equal(counts.verified, 2);
});

test("tokens that verified are remembered up to a maximum", () => {
  const tokens = new VerifiedTokens(2);
  const known = { keyFingerprint: "f", keyId: "k", deviceNumId: "2", device: deviceName, remoteAddress: "" };

  for (const digest of ["a", "b", "c"]) tokens.remember(digest, known);

  assert.equal(tokens.size, 2);
  assert.deepEqual([tokens.find("a"), tokens.find("c")], [undefined, known]);
});

test("an attempt is recorded with what is known of it", () => {
  const key = new DeviceKey("k", { slot: 3 });
  const { admit, records } = deskWith(recordWith([key.record]));
  const peer = { remoteAddress: "192.0.2.9", tlsVersion: "TLSv1.3", tlsResumed: true };

  admit(key.token({ iat: startSeconds - 30, u: 5 }), { bridge: "mqtt", purpose: "connect", peer });

  const [{ device, record }] = records as [AuthenticationUpdate];
  assert.equal(device.device, "2");
  assert.deepEqual(record, {
    kind: "attempt",
    ...peer,
    arrivalMs: startSeconds * 1000,
    lastMs: startSeconds * 1000,
    attempts: 1,
    bridge: "mqtt",
    purpose: "connect",
    outcome: "accepted",
    authenticity: "authentic",
    isFirstSeen: true,
    iat: startSeconds - 30,
    exp: startSeconds + 3_570,
    u: 5,
    offsetSeconds: -25,
    keyId: "k",
    slot: 3,
  });
});

test("only a signature that was looked at makes a record authentic or not, and only authentic ones have an offset", () => {
  const key = new DeviceKey("k");
  const { admit, records } = deskWith(recordWith([key.record, new DeviceKey("old").inState("retired")]));
  const stranger = new DeviceKey("stranger");

  admit(stranger.token());
  admit(stranger.token({ aud: "other" }));
  admit("no token");
  admit(stranger.token({ iat: startSeconds - 7_200 }));
  admit(key.token({ iat: startSeconds - 7_300 }));

  const told = records.map(({ record }) =>
    record.kind === "attempt" ? [record.outcome, record.authenticity, record.offsetSeconds] : [],
  );
  assert.deepEqual(told, [
    ["token_signature_invalid", "unauthenticated", undefined],
    ["token_audience_mismatch", "unchecked", undefined],
    ["token_malformed", "unchecked", undefined],
    ["token_expired", "unauthenticated", undefined],
  ]);
});

test("an authentic token with a wrong time says how far its clock is off", () => {
  const key = new DeviceKey("k");
  const { admit, records } = deskWith(recordWith([key.record]));

  admit(key.token({ iat: startSeconds - 7_500 }));

  const [{ record }] = records as [AuthenticationUpdate];
  assert.ok(record.kind === "attempt");
  assert.deepEqual(
    [record.outcome, record.authenticity, record.offsetSeconds],
    ["token_expired", "authentic", -7_500],
  );
});

test("names that nobody has are counted and leave no record", () => {
  const { device: _, ...noDevice } = recordWith([]);
  const desks = [deskWith(undefined), deskWith(noDevice)];

  for (const { admit } of desks) admit(new DeviceKey("k").token());

  for (const { records, attempts } of desks) {
    assert.deepEqual(records, []);
    assert.deepEqual(attempts, [
      { bridge: "http", purpose: "request", authenticity: "unchecked", outcome: "device_unknown" },
    ]);
  }
});

test("the same token again is counted, and its record brought up to date once in 15 min", async () => {
  const key = new DeviceKey("k");
  const { admit, records, attempts, time } = deskWith(recordWith([key.record]));
  const token = key.token();
  const start = { iat: startSeconds, isFirstSeen: true };

  for (let n = 0; n < 1_000; n += 1) admit(token);
  await time.advance(acceptedNoteMillis);
  admit(token);
  admit(token, { peer: { remoteAddress: "198.51.100.7" } });

  assert.equal(attempts.length, 1_002);
  const told = records.map(({ series, record }) => {
    assert.ok(record.kind === "attempt");
    return [series, record.attempts, record.isFirstSeen, (record.lastMs - record.arrivalMs) / 1000];
  });
  const [first, later, elsewhere] = records.map(({ series }) => series);
  assert.deepEqual(told, [
    [first, 1, start.isFirstSeen, 0],
    [first, 1_001, true, 900],
    [elsewhere, 1, false, 0],
  ]);
  assert.ok(first === later && first !== elsewhere);
});

test("a device that makes a token for each request begins ten records, then one a minute", async () => {
  const key = new DeviceKey("k");
  const { admit, records, attempts, time } = deskWith(recordWith([key.record]));
  const series = () => new Set(records.map((update) => update.series)).size;

  for (let n = 0; n < 100; n += 1) admit(key.token({ iat: startSeconds - n }));
  const atOnce = series();
  await time.advance(seriesIntervalMillis);
  for (let n = 100; n < 200; n += 1) admit(key.token({ iat: startSeconds - n }));

  // The one besides is the series of all that came between.
  assert.deepEqual([atOnce, series()], [seriesAtOnceMax + 1, seriesAtOnceMax + 2]);
  assert.deepEqual([records.length, attempts.length], [seriesAtOnceMax + 2, 200]);
});

test("whoever invents tokens makes one record a minute for a device, and strangers share it", async () => {
  const { admit, records, time } = deskWith(recordWith([new DeviceKey("k").record]));
  const stranger = new DeviceKey("stranger");

  for (let n = 0; n < 50; n += 1) {
    admit(stranger.token({ iat: startSeconds - n }), { peer: { remoteAddress: `192.0.2.${n}` } });
  }
  await time.advance(refusedNoteMillis);
  admit(stranger.token());

  const told = records.map(({ record }) => (record.kind === "attempt" ? record.attempts : 0));
  assert.deepEqual(told, [1, 51]);
  assert.equal(new Set(records.map(({ series }) => series)).size, 1);
});

test("series are counted in memory up to a maximum", () => {
  const { admission, admit } = deskWith(recordWith([new DeviceKey("k").record], true));
  const book = new AttemptBook({
    registry: { recordAuthentication: () => undefined },
    observer: { attempted: () => undefined, alarm: () => undefined },
  });
  admit("no token");
  const record = (numId: string) => ({
    ...recordWith([]),
    device: { ...plainDevice, numId, keys: [] },
  });
  const attempt: Omit<Attempt, "authenticity"> = {
    ...{ deviceName, bridge: "http" as const, purpose: "request" as const },
    ...{ peer: { remoteAddress: "192.0.2.1" }, source: "192.0.2.1", outcome: "token_malformed" as const },
    ...{ claims: undefined, signer: undefined, digest: "", known: undefined },
    ...{ arrivalSeconds: 0, monotonicMillis: 0 },
  };

  for (let n = 0; n < provedSeriesMax + 3; n += 1) {
    book.note({ ...attempt, authenticity: "authentic" }, record(`${n}`));
    book.note({ ...attempt, authenticity: "unchecked" }, record(`${n}`));
  }

  assert.equal(admission.counts().attemptSeries, 1);
  assert.equal(book.series, provedSeriesMax + unprovedSeriesMax);
});

test("a source that failed too often is refused unread, as any other, and a token known before is not", () => {
  const key = new DeviceKey("k");
  const { admit, counts, records } = deskWith(recordWith([key.record]));
  const known = key.token();
  const attacker = { peer: { remoteAddress: "198.51.100.7" } };
  admit(known, attacker);
  const name = { ...deviceName, device: "gone" };
  const stranger = new DeviceKey("stranger").token();
  for (let n = 0; n < sourceFailuresMax + provenFailuresMax; n += 1) admit(stranger, attacker);
  const spent = counts.verified + counts.dummies;

  const failing = admit(stranger, attacker);
  const unknownName = admit(stranger, { ...attacker, deviceName: name });
  const late = admit(key.token({ iat: startSeconds - 7_200 }), attacker);
  const again = admit(known, attacker);
  const renewal = admit(key.token({ iat: startSeconds - 1 }), { ...attacker, purpose: "reauthenticate" });
  const fromElsewhere = admit(key.token({ iat: startSeconds - 2 }));

  assert.deepEqual([failing, unknownName, late].map(codeOf), [
    "failure_limit",
    "failure_limit",
    "token_expired",
  ]);
  assert.deepEqual([again.kind, renewal.kind, fromElsewhere.kind], ["admitted", "admitted", "admitted"]);
  assert.equal(counts.verified + counts.dummies - spent, 2);
  assert.ok(records.some(({ record }) => record.kind === "attempt" && record.outcome === "failure_limit"));
  assert.deepEqual(refusalOnWire.failure_limit, refusalOnWire.token_signature_invalid);
});

test("a token known before passes the limit although another key of its device is tried first", () => {
  const [older, newer] = [new DeviceKey("older"), new DeviceKey("newer")];
  const { admit } = deskWith(recordWith([older.record, newer.record]));
  const token = newer.token();
  admit(token);
  admit(older.token());
  const stranger = new DeviceKey("stranger").token();
  for (let n = 0; n < sourceFailuresMax + provenFailuresMax; n += 1) admit(stranger);

  assert.deepEqual([codeOf(admit(stranger)), admit(token).kind], ["failure_limit", "admitted"]);
});

test("an honest device gets in while an attacker behind its own address floods other names", () => {
  const key = new DeviceKey("k");
  const { admit } = deskWith(({ device }) => (device === "fern" ? recordWith([key.record]) : undefined));
  admit(key.token());
  const stranger = new DeviceKey("stranger").token();
  const flood = () => {
    for (let n = 0; n < sourceFailuresMax * 2; n += 1) {
      admit(stranger, { deviceName: { ...registryRef, registry: "nowhere", device: `d${n}` } });
    }
  };
  const lost = { ...registryRef, registry: "nowhere", device: "d" };

  flood();
  const beyond = admit(stranger, { deviceName: lost });
  const renewed = Array.from({ length: 30 }, (_, n) => admit(key.token({ iat: startSeconds - n })).kind);

  assert.equal(codeOf(beyond), "failure_limit");
  assert.ok(renewed.every((kind) => kind === "admitted"));
});

test("a token of one device under the name of another is an alarm about the first, and blocks neither", () => {
  const [mine, other] = [new DeviceKey("k"), new DeviceKey("other")];
  const present = { record: recordWith([mine.record]) };
  const { admit, alarms, records } = deskWith(() => present.record);
  const token = mine.token();
  admit(token);
  const moss = { ...deviceName, device: "moss" };
  present.record = {
    ...recordWith([]),
    device: { ...plainDevice, deviceId: "moss", numId: "3", keys: [other.record] },
  };

  admit(token, { deviceName: moss, peer: { remoteAddress: "198.51.100.7" } });
  admit(token, { deviceName: moss, peer: { remoteAddress: "198.51.100.7" } });
  const honest = admit(other.token(), { deviceName: moss });
  present.record = recordWith([mine.record]);
  const again = admit(token);

  const addresses = ["192.0.2.1", "198.51.100.7"];
  assert.deepEqual(alarms, [
    { kind: "token_reused", device: deviceName, addresses, keyId: "k", otherDevice: moss },
  ]);
  const evidence = records.filter(({ record }) => record.kind === "evidence");
  assert.deepEqual(
    evidence.map(({ device, record }) => [device.device, record]),
    [
      [
        "2",
        {
          kind: "evidence",
          arrivalMs: startSeconds * 1000,
          evidence: "token_reused",
          remoteAddresses: addresses,
          keyId: "k",
          otherDevice: "projects/mayfly/locations/here/registries/greenhouse/devices/moss",
        },
      ],
    ],
  );
  assert.deepEqual([honest.kind, again.kind], ["admitted", "admitted"]);
});

test("a device under both of its names, its id and its numId, is one device", () => {
  const key = new DeviceKey("k");
  const { admit, alarms, records } = deskWith(recordWith([key.record]));

  admit(key.token());
  admit(key.token(), { deviceName: { ...deviceName, device: "2" } });

  assert.deepEqual([alarms, records.length], [[], 2]);
});

test("a key used from two networks in turn is alarmed and recorded once, and goes on being admitted", async () => {
  const key = new DeviceKey("k");
  const { admit, alarms, records, time } = deskWith(recordWith([key.record]));
  const kinds: string[] = [];

  for (let n = 0; n < 8; n += 1) {
    const peer = { remoteAddress: n % 2 === 0 ? "192.0.2.1" : "198.51.100.7" };
    kinds.push(admit(key.token({ iat: startSeconds + n }), { peer }).kind);
    await time.advance(60_000);
  }

  assert.deepEqual(new Set(kinds), new Set(["admitted"]));
  assert.deepEqual(
    alarms.map(({ kind, addresses }) => [kind, ...addresses]),
    [["shared_key", "192.0.2.1", "198.51.100.7"]],
  );
  assert.equal(records.filter(({ record }) => record.kind === "evidence").length, 1);
});

test("a stranger elsewhere can't use up a device's chance to prove that its clock is wrong", () => {
  const key = new DeviceKey("k");
  const { admit, records } = deskWith(recordWith([key.record]));
  const stranger = new DeviceKey("stranger").token({ iat: startSeconds - 7_200 });

  for (let n = 0; n < 100; n += 1) admit(stranger, { peer: { remoteAddress: `198.51.100.${n}` } });
  admit(key.token({ iat: startSeconds - 7_500 }));

  const proved = records.flatMap(({ record }) =>
    record.kind === "attempt" && record.authenticity === "authentic" ? [record.offsetSeconds] : [],
  );
  assert.deepEqual(proved, [-7_500]);
});

test("an honest device connects while an attacker with many addresses and names fills every map", () => {
  const key = new DeviceKey("k");
  const { admission, admit } = deskWith(({ device }) =>
    device === "fern" ? recordWith([key.record]) : undefined,
  );
  const stranger = new DeviceKey("stranger");
  // Expired, and of the wrong form: it touches the maps and spares the test the curve operations.
  const late = stranger.token({ iat: startSeconds - 7_200 }).replace(/[^.]*$/, "AAAA");
  const forged = stranger.token();
  const honest: string[] = [];

  for (let n = 0; n < timeFailuresMax + 5_000; n += 1) {
    const peer = { remoteAddress: `2001:db8:${(n >> 8).toString(16)}:${(n & 255).toString(16)}::1` };
    admit(late, { peer, deviceName: { ...deviceName, device: n % 2 === 0 ? "fern" : `fern-${n}` } });
    // From the device's own address, in its own name and in others.
    if (n % 20 === 0) admit(forged, { deviceName: { ...deviceName, device: `fern-${n}` } });
    if (n % 5_000 === 0) admit(forged);
    if (n % 500 === 0) honest.push(admit(key.token({ iat: startSeconds - n / 500 })).kind);
  }
  const floodedOut = admit(forged, { deviceName: { ...deviceName, device: "other" } });

  assert.equal(admission.counts().timeFailures, timeFailuresMax);
  assert.equal(codeOf(floodedOut), "failure_limit");
  assert.deepEqual([honest.length, ...new Set(honest)], [43, "admitted"]);
});
