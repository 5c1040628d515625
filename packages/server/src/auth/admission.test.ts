import assert from "node:assert/strict";
import { test } from "node:test";
import { policyPresets, TokenError } from "@mayfly/core/token";
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
import type { KeyVerifier } from "./key-verifier.ts";

const deviceName = { ...registryRef, device: "fern" };

/** A desk over one record, and what its verifier was asked to do. */
function deskWith(record: AdmissionRecord | undefined) {
  const time = new VirtualTime();
  const verifier = createNodeKeyVerifier({ goodSignatures: 0 });
  const heard: TimeTestimony[] = [];
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
  const admission = createAdmission({
    clock: time,
    registry: { lookUpAdmission: (_, answer) => answer(record) },
    verifier: counting,
    observer: { verified: () => undefined },
    testimony: { hear: (testimony) => heard.push(testimony) },
  });
  const admit = (token: string, extra: Partial<AdmissionRequest> = {}): AdmissionOutcome => {
    let outcome: AdmissionOutcome | undefined;
    admission.admitDeviceToken({ deviceName, token, ownAgent: false, bridge: "http", ...extra }, (answer) => {
      outcome = answer;
    });
    assert.ok(outcome);
    return outcome;
  };
  return { admission, admit, counts, heard, time };
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
    },
    device: { deviceId: "fern", numId: "2", blocked, keys },
  };
}

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

  assert.deepEqual(before, { keysImported: 0, lastKeys: 0, timeFailures: 0 });
  assert.deepEqual(admission.counts(), { keysImported: 1, lastKeys: 1, timeFailures: 1 });
});
