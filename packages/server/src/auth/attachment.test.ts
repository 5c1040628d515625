import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumericDate } from "@mayfly/core";
import { policyPresets, TokenError } from "@mayfly/core/token";
import type { AttachmentRecord } from "../registry/gateway-store.ts";
import type { GatewayAuthMethod } from "../registry/model.ts";
import type { AdmissionOutcome, DevicePrincipal } from "./admission.ts";
import { judgeAttachment, needsDeviceToken } from "./attachment.ts";

const registry = { project: "mayfly", location: "lab", registry: "plant" };
const policy = policyPresets["iot-core"];
const serverSeconds = 1_700_000_000 as NumericDate;

const device: NonNullable<AttachmentRecord["device"]> = {
  deviceId: "sensor-1",
  numId: "1000000000000001",
  blocked: false,
  keys: [],
  gatewayType: "NON_GATEWAY",
  gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
  logLevel: "NONE",
};

const principal: DevicePrincipal = {
  registry,
  registryNumId: "1",
  deviceId: device.deviceId,
  deviceNumId: device.numId,
  policy,
  keyId: "k",
  keyFingerprint: "f",
  keyState: "active",
  alg: "ES256",
  issuedAtSeconds: serverSeconds,
  expiresAtSeconds: serverSeconds,
  deadlineSeconds: serverSeconds,
  deadlineBecause: "token_expired",
  leniencies: [],
  gatewayAuthMethod: undefined,
  logLevel: "NONE",
  routes: { eventNotificationConfigs: [], stateNotificationTopic: "" },
};

function recordOf(change: Partial<AttachmentRecord> = {}): AttachmentRecord {
  const { project, location } = registry;
  const ofRegistry = { project, location, registry: registry.registry, numId: "1", policy };
  const bridges = { mqttEnabled: true, httpEnabled: true, logLevel: "NONE" } as const;
  const topics = { eventNotificationConfigs: [], stateNotificationTopic: "" };
  return { registry: { ...ofRegistry, ...bridges, ...topics }, device, isBound: true, ...change };
}

const tokens: Readonly<Record<"none" | "good" | "bad", AdmissionOutcome | undefined>> = {
  none: undefined,
  good: { kind: "admitted", principal, keys: [] },
  bad: { kind: "refused", because: new TokenError("token_expired", "late"), serverSeconds },
};

function verdict(
  method: GatewayAuthMethod | undefined,
  isBound: boolean,
  token: keyof typeof tokens,
): string {
  const judged = judgeAttachment({ gatewayAuthMethod: method, policy }, recordOf({ isBound }), tokens[token]);
  if (judged.kind === "refused") return judged.because;
  return judged.principal === undefined ? "allowed" : "allowed with the device's deadline";
}

/** [bound, token shown] → verdict, for each method: the table of cloud-iot-core.md §6. */
const table = {
  GATEWAY_AUTH_METHOD_UNSPECIFIED: Array(6).fill("method_unspecified"),
  ASSOCIATION_ONLY: ["allowed", "allowed", "allowed", "not_bound", "not_bound", "not_bound"],
  DEVICE_AUTH_TOKEN_ONLY: [
    "token_missing",
    "allowed with the device's deadline",
    "token_refused",
    "token_missing",
    "allowed with the device's deadline",
    "token_refused",
  ],
  ASSOCIATION_AND_DEVICE_AUTH_TOKEN: [
    "token_missing",
    "allowed with the device's deadline",
    "token_refused",
    "not_bound",
    "not_bound",
    "not_bound",
  ],
} satisfies Record<GatewayAuthMethod, readonly string[]>;

for (const [method, expected] of Object.entries(table) as [GatewayAuthMethod, readonly string[]][]) {
  test(`what ${method} asks of a binding and of a device token`, () => {
    const judged = [true, false].flatMap((isBound) =>
      (["none", "good", "bad"] as const).map((token) => verdict(method, isBound, token)),
    );

    assert.deepEqual(judged, expected);
  });
}

test("a device's token is asked for where the method demands one, and nowhere else", () => {
  const asking = (Object.keys(table) as GatewayAuthMethod[]).filter(needsDeviceToken);

  assert.deepEqual(asking, ["DEVICE_AUTH_TOKEN_ONLY", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN"]);
  assert.equal(needsDeviceToken(undefined), false);
});

test("association alone attaches only where the registry allows it by name", () => {
  const gateway = { gatewayAuthMethod: "ASSOCIATION_ONLY", policy: policyPresets.strict } as const;
  const allowing = { ...policyPresets.strict, gatewayAssociationOnly: "allow" } as const;

  const judged = [gateway, { ...gateway, policy: allowing }].map((asking) =>
    judgeAttachment(asking, recordOf(), undefined),
  );

  assert.deepEqual(judged[0], { kind: "refused", because: "association_alone_refused" });
  assert.equal(judged[1]?.kind, "allowed");
});

test("where association alone is refused, a token that was shown is judged, and the right ends with it", () => {
  const gateway = { gatewayAuthMethod: "ASSOCIATION_ONLY", policy: policyPresets.strict } as const;

  const good = judgeAttachment(gateway, recordOf(), tokens.good);
  const bad = judgeAttachment(gateway, recordOf(), tokens.bad);
  const unbound = judgeAttachment(gateway, recordOf({ isBound: false }), tokens.good);

  assert.equal(good.kind === "allowed" && good.principal, principal);
  assert.equal(bad.kind === "refused" && bad.because, "token_refused");
  assert.deepEqual(unbound, { kind: "refused", because: "not_bound" });
});

test("the policy about association alone is no matter where the device shows a token", () => {
  const gateway = { gatewayAuthMethod: "DEVICE_AUTH_TOKEN_ONLY", policy: policyPresets.strict } as const;

  assert.equal(judgeAttachment(gateway, recordOf(), tokens.good).kind, "allowed");
});

for (const [sentence, method, record, token, because] of [
  ["a device that is no gateway attaches nobody", undefined, recordOf(), tokens.good, "not_gateway"],
  [
    "a device that is not there is not attached",
    "ASSOCIATION_ONLY",
    { registry: recordOf().registry, isBound: false },
    undefined,
    "device_unknown",
  ],
  ["a registry that is gone attaches nobody", "ASSOCIATION_ONLY", undefined, undefined, "device_unknown"],
  [
    "a registry that cannot be read judges nobody",
    "ASSOCIATION_ONLY",
    "unavailable",
    undefined,
    "registry_unavailable",
  ],
  [
    "a gateway does not speak for a gateway",
    "DEVICE_AUTH_TOKEN_ONLY",
    recordOf({ device: { ...device, gatewayType: "GATEWAY" } }),
    tokens.good,
    "device_is_gateway",
  ],
  [
    "a blocked device is not attached by its binding",
    "ASSOCIATION_ONLY",
    recordOf({ device: { ...device, blocked: true } }),
    undefined,
    "device_blocked",
  ],
  [
    "a token of a device that had the name before does not attach the present one",
    "DEVICE_AUTH_TOKEN_ONLY",
    recordOf({ device: { ...device, numId: "1000000000000002" } }),
    tokens.good,
    "device_unknown",
  ],
  [
    "a bridge that is switched off attaches nobody",
    "DEVICE_AUTH_TOKEN_ONLY",
    recordOf(),
    { kind: "refused", because: "bridge_disabled", serverSeconds },
    "bridge_disabled",
  ],
] as const) {
  test(sentence, () => {
    const judged = judgeAttachment({ gatewayAuthMethod: method, policy }, record, token);

    assert.deepEqual(judged, { kind: "refused", because });
  });
}

test("a token that is refused says why to whoever keeps the log", () => {
  const gateway = { gatewayAuthMethod: "DEVICE_AUTH_TOKEN_ONLY", policy } as const;

  const judged = judgeAttachment(gateway, recordOf(), tokens.bad);

  assert.equal(judged.kind === "refused" && judged.error?.code, "token_expired");
});
