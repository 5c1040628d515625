import assert from "node:assert/strict";
import { test } from "node:test";
import { policyPresets } from "@mayfly/core/token";
import type { AdmissionRecord, KeyRecord } from "../registry/model.ts";
import type { DevicePrincipal } from "./admission.ts";
import { rejudge } from "./rejudgement.ts";

const registry = { project: "mayfly", location: "here", registry: "greenhouse" };
const policy = { ...policyPresets.strict, graceSeconds: 100 };
const key: KeyRecord = {
  keyId: "k",
  state: "active",
  format: "ES256_PEM",
  pem: "",
  fingerprint: "f",
  createdMs: 0,
};
const principal: DevicePrincipal = {
  registry,
  registryNumId: "1",
  deviceId: "fern",
  deviceNumId: "2",
  policy,
  keyId: "k",
  keyFingerprint: "f",
  keyState: "active",
  alg: "ES256",
  issuedAtSeconds: 1_000,
  expiresAtSeconds: 4_600,
  deadlineSeconds: 4_700,
  deadlineBecause: "token_expired",
  leniencies: [],
  gatewayAuthMethod: undefined,
  logLevel: "NONE",
  routes: { eventNotificationConfigs: [], stateNotificationTopic: "" },
};

function recordWith(
  device: Partial<NonNullable<AdmissionRecord["device"]>> = {},
  changed: Partial<AdmissionRecord["registry"]> = {},
): AdmissionRecord {
  return {
    registry: {
      ...registry,
      numId: "1",
      policy,
      mqttEnabled: true,
      httpEnabled: true,
      eventNotificationConfigs: [],
      stateNotificationTopic: "",
      logLevel: "NONE",
      ...changed,
    },
    device: {
      ...{ deviceId: "fern", numId: "2", blocked: false, keys: [key] },
      gatewayType: "GATEWAY_TYPE_UNSPECIFIED",
      gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
      logLevel: "LOG_LEVEL_UNSPECIFIED",
      ...device,
    },
  };
}

test("what did not change keeps its deadline", () => {
  const verdict = rejudge(principal, recordWith(), 2_000, "mqtt");

  assert.deepEqual(verdict, { kind: "keeps", principal });
});

test("a shorter grace moves the deadline closer, a longer one does not move it away", () => {
  const deadlines = [0, 100, 600].map((graceSeconds) => {
    const verdict = rejudge(
      principal,
      recordWith({}, { policy: { ...policy, graceSeconds } }),
      2_000,
      "mqtt",
    );
    return verdict.kind === "keeps" ? verdict.principal.deadlineSeconds : verdict.because;
  });

  assert.deepEqual(deadlines, [4_600, 4_700, 4_700]);
});

test("the same name with another numId is another device", () => {
  assert.deepEqual(rejudge(principal, recordWith({ numId: "3" }), 2_000, "mqtt"), {
    kind: "ends",
    because: "device_deleted",
  });
});

test("the same key id with another key is not the key that verified", () => {
  const verdict = rejudge(principal, recordWith({ keys: [{ ...key, fingerprint: "g" }] }), 2_000, "mqtt");

  assert.deepEqual(verdict, { kind: "ends", because: "key_retired" });
});

test("a policy that would no longer admit ends the session", () => {
  const shorter = rejudge(
    principal,
    recordWith({}, { policy: { ...policy, lifetimeMaxSeconds: 600 } }),
    2_000,
    "mqtt",
  );
  const noPending = rejudge(
    principal,
    recordWith({ keys: [{ ...key, state: "pending" }] }, { policy: { ...policy, pendingKeys: "refuse" } }),
    2_000,
    "mqtt",
  );

  assert.deepEqual(
    [shorter, noPending],
    [
      { kind: "ends", because: "policy_tightened" },
      { kind: "ends", because: "policy_tightened" },
    ],
  );
});

test("each bridge has its own switch", () => {
  const record = recordWith({}, { mqttEnabled: false });

  assert.equal(rejudge(principal, record, 2_000, "mqtt").kind, "ends");
  assert.equal(rejudge(principal, record, 2_000, "http").kind, "keeps");
});
