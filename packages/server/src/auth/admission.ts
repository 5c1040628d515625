/**
 * Admission: may this peer act as this device now, by which key, and until when.
 *
 * One parser and one policy for all bridges: MQTT and HTTP both ask here and differ only in how they say no.
 * The registry answers through a callback because a store may have to wait; with the embedded store it is
 * answered at once. Everything kept between two admissions is a bounded hint (keys imported, last key that
 * verified, who was checked despite a wrong clock): losing it costs time, never a decision.
 *
 * Left to others: the wire (`mqtt/`, `http/`), the token's rules (`@mayfly/core/token`), and judging a live
 * session again when the registry changes (`rejudgement.ts`).
 */
import type { DeviceName, NumericDate } from "@mayfly/core";
import type { KeyState, Leniency, RegistryPolicy, TokenError } from "@mayfly/core/token";
import type { AdmissionRecord, RegistryRef } from "../registry/model.ts";
import type { TokenAlgorithm } from "./key-verifier.ts";

/** Who was admitted: all that the bridges need to know of a device while it is connected. */
export interface DevicePrincipal {
  readonly registry: RegistryRef;
  readonly registryNumId: string;
  readonly deviceId: string;
  readonly deviceNumId: string;
  readonly policy: RegistryPolicy;
  /** The key that verified. */
  readonly keyId: string;
  readonly keyFingerprint: string;
  readonly keyState: KeyState;
  readonly alg: TokenAlgorithm;
  readonly issuedAtSeconds: NumericDate;
  readonly expiresAtSeconds: NumericDate;
  /** The right ends here: least of `exp` + grace and the key's expiry. The connection maximum is the bridge's to add. */
  readonly deadlineSeconds: NumericDate;
  readonly deadlineBecause: "token_expired" | "key_expired";
  readonly leniencies: readonly Leniency[];
  /** The look-up that admitted it, for what a bridge needs besides (notification topics, metadata of routing). */
  readonly record: AdmissionRecord;
}

export interface AdmissionRequest {
  readonly deviceName: DeviceName;
  /** As received; "" where the peer sent none. */
  readonly token: string;
  /** The peer says it is our own agent (User Name `mayfly/1…`): strict then wants `sub`. */
  readonly ownAgent: boolean;
  readonly bridge: "mqtt" | "http";
}

export type AdmissionOutcome =
  | { readonly kind: "admitted"; readonly principal: DevicePrincipal }
  /** `bridge_disabled`: the registry has this bridge switched off; told only to a peer that proved a key. */
  | {
      readonly kind: "refused";
      readonly because: TokenError | "bridge_disabled";
      readonly serverSeconds: NumericDate;
    };

export interface Admission {
  /** @param answer called exactly once, synchronously where the registry answers at once. */
  admitDeviceToken(request: AdmissionRequest, answer: (outcome: AdmissionOutcome) => void): void;
  /** Sizes of the bounded hints, for gauges. */
  counts(): { readonly keysImported: number; readonly lastKeys: number; readonly timeFailures: number };
}

/** What admission tells while it works: for metrics. */
export interface AdmissionObserver {
  /** Time of the whole token verification, curve included. */
  verified(facts: { readonly micros: number; readonly outcome: "accepted" | "refused" }): void;
}
