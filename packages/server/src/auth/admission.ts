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
import { type Clock, type DeviceName, formatDeviceName, type NumericDate } from "@mayfly/core";
import {
  type CandidateKey,
  type DeviceFacts,
  type KeyState,
  type Leniency,
  policyPresets,
  type RegistryPolicy,
  type TokenAlgorithm,
  TokenError,
  type VerifiedToken,
  verifyDeviceToken,
} from "@mayfly/core/token";
import type { AdmissionRecord, KeyRecord, RegistryRef } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { TestimonyListener } from "../time/time-witnesses.ts";
import { BoundedMap } from "./bounded-map.ts";
import { KeyCache } from "./key-cache.ts";
import type { KeyVerifier } from "./key-verifier.ts";

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
  /**
   * `bridge_disabled`: the registry has this bridge switched off; told only to a peer that proved a key.
   * `registry_unavailable`: nobody was judged, since the registry could not be read; the peer may come again.
   */
  | {
      readonly kind: "refused";
      readonly because: TokenError | "bridge_disabled" | "registry_unavailable";
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

export interface AdmissionPorts {
  readonly clock: Clock;
  readonly registry: Pick<RegistryStore, "lookUpAdmission">;
  readonly verifier: KeyVerifier;
  readonly observer: AdmissionObserver;
  /** Hears each authentic token, also one that is refused for its time alone. Absent: nobody does. */
  readonly testimony?: TestimonyListener;
}

/** Devices of which the last key that verified is remembered; about 100 bytes each. */
export const lastKeysMax = 65_536;
/** Devices and unknown names of which the last failure of time alone is remembered; a name has at most some 1,100 bytes. */
export const timeFailuresMax = 16_384;
/** Under a name whose token's times are wrong a signature is checked at most this often, known or not. */
export const timeFailureIntervalMillis = 10_000;

export function createAdmission(ports: AdmissionPorts): Admission {
  return new AdmissionDesk(ports);
}

class AdmissionDesk implements Admission {
  readonly #ports: AdmissionPorts;
  readonly #keys: KeyCache;
  /** numId of a device to the key that verified last. */
  readonly #lastKeys = new BoundedMap<string, string>(lastKeysMax);
  /** numId of a device, or a name that is not known, to when its signature was last checked despite a wrong time (monotonic). */
  readonly #timeFailures = new BoundedMap<string, number>(timeFailuresMax);

  constructor(ports: AdmissionPorts) {
    this.#ports = ports;
    this.#keys = new KeyCache(ports.verifier);
  }

  admitDeviceToken(request: AdmissionRequest, answer: (outcome: AdmissionOutcome) => void): void {
    const { registry, clock } = this.#ports;
    registry.lookUpAdmission(request.deviceName, (record) =>
      answer(
        record === "unavailable"
          ? { kind: "refused", because: "registry_unavailable", serverSeconds: clock.wallSeconds() }
          : this.#judge(request, record),
      ),
    );
  }

  counts(): ReturnType<Admission["counts"]> {
    return {
      keysImported: this.#keys.size,
      lastKeys: this.#lastKeys.size,
      timeFailures: this.#timeFailures.size,
    };
  }

  #judge(request: AdmissionRequest, record: AdmissionRecord | undefined): AdmissionOutcome {
    const { clock, observer } = this.#ports;
    const serverSeconds = clock.wallSeconds();
    const startMillis = clock.monotonicMillis();
    const tell = (outcome: "accepted" | "refused") =>
      observer.verified({ micros: (clock.monotonicMillis() - startMillis) * 1000, outcome });
    try {
      const verified = this.#verify(request, record, serverSeconds, startMillis);
      tell("accepted");
      this.#testify(record, verified.claims);
      const principal = principalOf(verified, record);
      this.#lastKeys.set(principal.deviceNumId, verified.keyId);
      const enabled = request.bridge === "mqtt" ? record?.registry.mqttEnabled : record?.registry.httpEnabled;
      if (enabled !== true) return { kind: "refused", because: "bridge_disabled", serverSeconds };
      return { kind: "admitted", principal };
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      tell("refused");
      if (error.authenticity === "authentic" && timeErrors.has(error.code))
        this.#testify(record, error.facts);
      return { kind: "refused", because: error, serverSeconds };
    }
  }

  /** @param token claims of one that is authentic, or the facts of its refusal. */
  #testify(
    record: AdmissionRecord | undefined,
    { iat, u = 0 }: { readonly iat?: string | number; readonly u?: string | number },
  ): void {
    const deviceNumId = record?.device?.numId;
    if (deviceNumId === undefined || typeof iat !== "number" || typeof u !== "number") return;
    this.#ports.testimony?.hear({ deviceNumId, issuedAtSeconds: iat, uncertaintySeconds: u });
  }

  #verify(
    request: AdmissionRequest,
    record: AdmissionRecord | undefined,
    now: NumericDate,
    nowMillis: number,
  ): VerifiedToken {
    const device = record?.device;
    // A name nobody knows has the allowance of a known one, and core then does dummy work for it: else the time
    // an expired token takes would tell which names exist. Known or not, one bounded map, one order of eviction.
    const allowance = device?.numId ?? formatDeviceName(request.deviceName);
    const mayCheckDespiteTime = this.#mayCheckDespiteTime(allowance, nowMillis);
    try {
      return verifyDeviceToken(
        request.token,
        {
          // An unknown registry has no policy: the default one's refusal looks like any other.
          policy: record?.registry.policy ?? policyPresets.strict,
          now,
          audience: request.deviceName.project,
          devicePaths: devicePathsOf(request.deviceName, record),
          ownAgent: request.ownAgent,
          device: device === undefined ? undefined : this.#factsOf(device),
          verifyWhenTimeFails: mayCheckDespiteTime,
        },
        this.#keys,
      );
    } catch (error) {
      if (mayCheckDespiteTime && error instanceof TokenError && timeErrors.has(error.code)) {
        this.#timeFailures.set(allowance, nowMillis);
      }
      throw error;
    }
  }

  #mayCheckDespiteTime(allowance: string, nowMillis: number): boolean {
    const last = this.#timeFailures.find(allowance);
    return last === undefined || nowMillis - last >= timeFailureIntervalMillis;
  }

  #factsOf(device: NonNullable<AdmissionRecord["device"]>): DeviceFacts {
    const lastKeyId = this.#lastKeys.find(device.numId);
    return {
      blocked: device.blocked,
      keys: device.keys.map(candidateOf),
      ...(lastKeyId === undefined ? {} : { lastKeyId }),
      ...(device.tokensNotBeforeSeconds === undefined
        ? {}
        : { tokensNotBeforeSeconds: device.tokensNotBeforeSeconds }),
    };
  }
}

const timeErrors: ReadonlySet<string> = new Set([
  "token_from_future",
  "token_not_yet_valid",
  "token_expired",
]);

function candidateOf(key: KeyRecord): CandidateKey {
  return {
    keyId: key.keyId,
    alg: key.format.startsWith("ES256") ? "ES256" : "RS256",
    state: key.state,
    ...(key.expiresAtSeconds === undefined ? {} : { expiresAtSeconds: key.expiresAtSeconds }),
    handle: key,
  };
}

function devicePathsOf(name: DeviceName, record: AdmissionRecord | undefined): readonly string[] {
  const device = record?.device;
  if (device === undefined) return [formatDeviceName(name)];
  return [
    formatDeviceName({ ...name, device: device.deviceId }),
    formatDeviceName({ ...name, device: device.numId }),
  ];
}

function principalOf(verified: VerifiedToken, record: AdmissionRecord | undefined): DevicePrincipal {
  const device = record?.device;
  const key = device?.keys.find(({ keyId }) => keyId === verified.keyId);
  if (record === undefined || device === undefined || key === undefined) {
    throw new Error("a token was verified with a key that is not on record");
  }
  const { registry } = record;
  const graceEnds = verified.claims.exp + registry.policy.graceSeconds;
  return {
    registry: { project: registry.project, location: registry.location, registry: registry.registry },
    registryNumId: registry.numId,
    deviceId: device.deviceId,
    deviceNumId: device.numId,
    policy: registry.policy,
    keyId: verified.keyId,
    keyFingerprint: key.fingerprint,
    keyState: verified.keyState,
    alg: verified.alg,
    issuedAtSeconds: verified.claims.iat,
    expiresAtSeconds: verified.claims.exp,
    deadlineSeconds: verified.deadlineSeconds,
    deadlineBecause: verified.deadlineSeconds < graceEnds ? "key_expired" : "token_expired",
    leniencies: verified.leniencies,
  };
}
