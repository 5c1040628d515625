/**
 * Judging a live session again: the registry changed, does what admitted this device still hold?
 *
 * The token was verified once and need not be again; everything the registry had a say in is asked anew, by
 * the same rules as at admission. A right can end at once, or end sooner; it never grows (a longer grace does
 * not revive what was promised to end: the device renews and gets it then).
 */
import type { NumericDate } from "@mayfly/core";
import { findKeyRefusal } from "@mayfly/core/token";
import type { AdmissionRecord } from "../registry/model.ts";
import { type DevicePrincipal, isOfNoToken, standingOf } from "./admission.ts";

export type RightEnd =
  | "device_deleted"
  | "device_blocked"
  | "key_retired"
  | "key_revoked"
  | "key_expired"
  | "token_expired"
  | "token_superseded"
  | "policy_tightened"
  | "bridge_disabled";

export type Rejudgement =
  /** With the registry's present policy and, where it moved closer, the new deadline. */
  | { readonly kind: "keeps"; readonly principal: DevicePrincipal }
  | { readonly kind: "ends"; readonly because: RightEnd };

/** @param record a fresh look-up, `undefined` when the registry is gone. */
export function rejudge(
  principal: DevicePrincipal,
  record: AdmissionRecord | undefined,
  now: NumericDate,
  bridge: "mqtt" | "http",
): Rejudgement {
  if (record === undefined) return ends("device_deleted");
  const { device } = record;
  // The same name with another numId is another device: the one that was admitted is gone.
  if (device === undefined || device.numId !== principal.deviceNumId) return ends("device_deleted");
  if (device.blocked) return ends("device_blocked");
  const { policy, mqttEnabled, httpEnabled } = record.registry;
  if (!(bridge === "mqtt" ? mqttEnabled : httpEnabled)) return ends("bridge_disabled");

  if (isOfNoToken(principal)) {
    return { kind: "keeps", principal: { ...principal, policy, ...standingOf(record.registry, device) } };
  }
  const key = device.keys.find(({ fingerprint }) => fingerprint === principal.keyFingerprint);
  if (key === undefined) return ends("key_retired");
  const refusal = findKeyRefusal(key, policy, now);
  if (refusal !== undefined) return ends(refusal === "key_pending" ? "policy_tightened" : refusal);

  const { issuedAtSeconds, expiresAtSeconds } = principal;
  if (device.tokensNotBeforeSeconds !== undefined && issuedAtSeconds < device.tokensNotBeforeSeconds) {
    return ends("token_superseded");
  }
  if (expiresAtSeconds - issuedAtSeconds > policy.lifetimeMaxSeconds) return ends("policy_tightened");

  const graceEnds = expiresAtSeconds + policy.graceSeconds;
  const keyEnds = key.expiresAtSeconds ?? Number.POSITIVE_INFINITY;
  const deadlineSeconds = Math.min(principal.deadlineSeconds, graceEnds, keyEnds);
  const moved = deadlineSeconds < principal.deadlineSeconds;
  const deadlineBecause = !moved
    ? principal.deadlineBecause
    : keyEnds < graceEnds
      ? "key_expired"
      : "token_expired";
  if (now >= deadlineSeconds) return ends(deadlineBecause);
  return {
    kind: "keeps",
    principal: {
      ...principal,
      ...standingOf(record.registry, device),
      ...{ policy, keyState: key.state, deadlineSeconds, deadlineBecause },
    },
  };
}

function ends(because: RightEnd): Rejudgement {
  return { kind: "ends", because };
}
