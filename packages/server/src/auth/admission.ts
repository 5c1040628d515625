/**
 * Admission: may this peer act as this device now, by which key, and until when.
 *
 * One parser and one policy for all bridges: MQTT and HTTP both ask here and differ only in how they say no.
 * The registry answers through a callback because a store may have to wait; with the embedded store it is
 * answered at once. Everything kept between two admissions is a bounded hint (keys imported, last key that
 * verified, tokens verified before, who was checked despite a wrong clock, who failed): losing it costs time,
 * never a decision.
 *
 * Left to others: the wire (`mqtt/`, `http/`), the token's rules (`@mayfly/core/token`), what is told and kept of
 * an attempt (`attempt-book.ts`), and judging a live session again when the registry changes (`rejudgement.ts`).
 */
import { type Clock, type DeviceName, formatDeviceName, type NumericDate } from "@mayfly/core";
import {
  type CandidateKey,
  type DeviceFacts,
  type JwtClaims,
  type KeyState,
  type Leniency,
  policyPresets,
  type RegistryPolicy,
  type TokenAlgorithm,
  TokenError,
  type VerifiedToken,
  verifyDeviceToken,
} from "@mayfly/core/token";
import type {
  AdmissionRecord,
  GatewayAuthMethod,
  KeyRecord,
  LogLevel,
  RegistryRef,
} from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { TopicRoutes } from "../telemetry/routing.ts";
import type { TestimonyListener } from "../time/time-witnesses.ts";
import { AttemptBook, type AttemptObserver } from "./attempt-book.ts";
import type { AuthenticationPurpose, PeerFacts, RecordedAuthenticity } from "./authentication-record.ts";
import { BoundedMap } from "./bounded-map.ts";
import { FailureLimits } from "./failure-limits.ts";
import { KeyCache } from "./key-cache.ts";
import type { KeyVerifier } from "./key-verifier.ts";
import { sourceOf } from "./network.ts";
import { TokenWitness } from "./token-witness.ts";
import { digestOf, type KnownToken, VerifiedTokens } from "./verified-tokens.ts";

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
  /** Of a gateway: what it must show to attach a device. Undefined: no gateway. */
  readonly gatewayAuthMethod: GatewayAuthMethod | undefined;
  /** The device's own, or its registry's where it has none. */
  readonly logLevel: LogLevel;
  /** Where its registry sends what it publishes. */
  readonly routes: TopicRoutes;
}

export interface AdmissionRequest {
  readonly deviceName: DeviceName;
  /** As received; "" where the peer sent none. */
  readonly token: string;
  /** The peer says it is our own agent (User Name `mayfly/1…`): strict then wants `sub`. */
  readonly ownAgent: boolean;
  readonly bridge: "mqtt" | "http";
  /** `reauthenticate`: over a connection that proved a key of this device, and no more than once in seconds. */
  readonly purpose: AuthenticationPurpose;
  readonly peer: PeerFacts;
}

export type AdmissionOutcome =
  | {
      readonly kind: "admitted";
      readonly principal: DevicePrincipal;
      /** All keys of the device on record when it was judged. */
      readonly keys: readonly KeyRecord[];
    }
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
  counts(): AdmissionCounts;
}

export interface AdmissionCounts {
  readonly keysImported: number;
  readonly lastKeys: number;
  readonly timeFailures: number;
  readonly verifiedTokens: number;
  readonly failingSources: number;
  /** Series of equal attempts that are counted as one record. */
  readonly attemptSeries: number;
}

/** What admission tells while it works: for metrics and the log. */
export interface AdmissionObserver extends AttemptObserver {
  /** Time of the whole token verification, curve included. */
  verified(facts: { readonly micros: number; readonly outcome: "accepted" | "refused" }): void;
}

export interface AdmissionPorts {
  readonly clock: Clock;
  readonly registry: Pick<RegistryStore, "lookUpAdmission" | "recordAuthentication">;
  readonly verifier: KeyVerifier;
  readonly observer: AdmissionObserver;
  /** Hears each authentic token, also one that is refused for its time alone. Absent: nobody does. */
  readonly testimony?: TestimonyListener;
}

/** Devices of which the last key that verified is remembered; about 100 bytes each. */
export const lastKeysMax = 65_536;
/** Names at a source, known or not, of which the last failure of time alone is remembered; a name has at most some 1,100 bytes. */
export const timeFailuresMax = 16_384;
/**
 * Under a name whose token's times are wrong a signature is checked at most this often for a source, known or not: a
 * stranger elsewhere must not use up what the device needs to prove that its clock is wrong.
 */
export const timeFailureIntervalMillis = 10_000;

export function createAdmission(ports: AdmissionPorts): Admission {
  return new AdmissionDesk(ports);
}

class AdmissionDesk implements Admission {
  readonly #ports: AdmissionPorts;
  readonly #keys: KeyCache;
  /** numId of a device to the key that verified last. */
  readonly #lastKeys = new BoundedMap<string, string>(lastKeysMax);
  /** Who was checked despite a wrong time, at which source, to when (monotonic). */
  readonly #timeFailures = new BoundedMap<string, number>(timeFailuresMax);
  readonly #tokens = new VerifiedTokens();
  readonly #limits = new FailureLimits();
  readonly #book: AttemptBook;

  constructor(ports: AdmissionPorts) {
    this.#ports = ports;
    this.#keys = new KeyCache(ports.verifier);
    this.#book = new AttemptBook(ports);
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

  counts(): AdmissionCounts {
    return {
      keysImported: this.#keys.size,
      lastKeys: this.#lastKeys.size,
      timeFailures: this.#timeFailures.size,
      verifiedTokens: this.#tokens.size,
      failingSources: this.#limits.sizes.sources,
      attemptSeries: this.#book.series,
    };
  }

  #judge(request: AdmissionRequest, record: AdmissionRecord | undefined): AdmissionOutcome {
    const { clock, observer } = this.#ports;
    const serverSeconds = clock.wallSeconds();
    const startMillis = clock.monotonicMillis();
    const trial = this.#openTrial(request, record, startMillis);
    let outcome: AdmissionOutcome;
    try {
      const verified = this.#verify(request, record, trial, serverSeconds, startMillis);
      // A token that was seen before says nothing new of its device's clock.
      if (trial.known === undefined) this.#testify(record, verified.claims);
      const principal = principalOf(verified, record);
      this.#lastKeys.set(principal.deviceNumId, verified.keyId);
      const enabled = request.bridge === "mqtt" ? record?.registry.mqttEnabled : record?.registry.httpEnabled;
      outcome =
        enabled === true
          ? { kind: "admitted", principal, keys: record?.device?.keys ?? [] }
          : { kind: "refused", because: "bridge_disabled", serverSeconds };
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      if (error.authenticity === "authentic" && timeErrors.has(error.code)) {
        this.#testify(record, error.facts);
      }
      outcome = { kind: "refused", because: error, serverSeconds };
    }
    const isRefused = outcome.kind === "refused" && outcome.because !== "bridge_disabled";
    observer.verified({
      micros: (clock.monotonicMillis() - startMillis) * 1000,
      outcome: isRefused ? "refused" : "accepted",
    });
    this.#learn(request, record, trial, outcome, serverSeconds, startMillis);
    return outcome;
  }

  #openTrial(request: AdmissionRequest, record: AdmissionRecord | undefined, nowMillis: number): Trial {
    // A name nobody knows has the allowance of a known one, and core then does dummy work for it: else the time
    // a refusal takes would tell which names exist. Known or not, one bounded map, one order of eviction.
    const allowance = record?.device?.numId ?? formatDeviceName(request.deviceName);
    const source = sourceOf(request.peer.remoteAddress);
    const digest = digestOf(request.token);
    const known = this.#tokens.find(digest);
    // Who renews proved a key on this connection; what a gateway attaches is counted under the gateway.
    const isLimited = request.purpose !== "reauthenticate" && request.purpose !== "attach";
    const mayCheck = !isLimited || this.#limits.mayCheck(source, allowance, nowMillis);
    const witness = new TokenWitness(this.#keys, known?.keyFingerprint, mayCheck);
    return { allowance, source, digest, known, mayCheck, witness, claims: undefined };
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
    trial: Trial,
    now: NumericDate,
    nowMillis: number,
  ): VerifiedToken {
    const device = record?.device;
    const timeAllowance = [trial.allowance, trial.source].join(" ");
    const mayCheckDespiteTime = trial.mayCheck && this.#mayCheckDespiteTime(timeAllowance, nowMillis);
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
          onClaims: (claims) => {
            trial.claims = claims;
          },
        },
        trial.witness,
      );
    } catch (error) {
      if (mayCheckDespiteTime && error instanceof TokenError && timeErrors.has(error.code)) {
        this.#timeFailures.set(timeAllowance, nowMillis);
      }
      throw error;
    }
  }

  /** What this attempt leaves behind: hints for the next one, and its record. */
  #learn(
    request: AdmissionRequest,
    record: AdmissionRecord | undefined,
    trial: Trial,
    outcome: AdmissionOutcome,
    arrivalSeconds: NumericDate,
    monotonicMillis: number,
  ): void {
    const { allowance, source, digest, known, witness } = trial;
    const { signer, work } = witness;
    const { device } = record ?? {};
    const because = outcome.kind === "refused" ? outcome.because : undefined;
    const error = because instanceof TokenError ? because : undefined;
    if (signer !== undefined && device !== undefined && known === undefined) {
      const { fingerprint: keyFingerprint, keyId } = signer;
      const { remoteAddress } = request.peer;
      const { project, location, registry } = request.deviceName;
      const ref = { project, location, registry, device: device.deviceId };
      const owner = { deviceNumId: device.numId, device: ref };
      this.#tokens.remember(digest, { keyFingerprint, keyId, remoteAddress, ...owner });
    }
    if (signer === undefined && work !== "none" && request.purpose !== "attach") {
      this.#limits.failed(source, allowance, monotonicMillis);
    } else if (signer !== undefined && mayVerifyStill(error)) {
      this.#limits.proved(source, allowance, monotonicMillis);
    }
    const { deviceName, bridge, purpose, peer } = request;
    const { claims } = trial;
    const attempted = outcome.kind === "admitted" ? "accepted" : (error?.code ?? "bridge_disabled");
    const authenticity = authenticityOf(witness, error);
    const when = { arrivalSeconds, monotonicMillis };
    const what = { claims, signer, digest, known, outcome: attempted, authenticity } as const;
    this.#book.note({ deviceName, bridge, purpose, peer, source, ...what, ...when }, record);
  }

  #mayCheckDespiteTime(timeAllowance: string, nowMillis: number): boolean {
    const last = this.#timeFailures.find(timeAllowance);
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

/** One attempt while it is judged. */
interface Trial {
  /** What its allowances are counted under. */
  readonly allowance: string;
  readonly source: string;
  readonly digest: string;
  readonly known: KnownToken | undefined;
  /** Has its source not failed too often? */
  readonly mayCheck: boolean;
  readonly witness: TokenWitness;
  claims: JwtClaims | undefined;
}

/** Nothing was wrong, or nothing but the times: the key that signed may verify. */
function mayVerifyStill(error: TokenError | undefined): boolean {
  return error === undefined || (timeErrors.has(error.code) && error.authenticity === "authentic");
}

/** Some of a device's keys signed, none did, or nobody looked. */
function authenticityOf(
  witness: Pick<TokenWitness, "signer" | "work">,
  error: TokenError | undefined,
): RecordedAuthenticity {
  if (witness.signer === undefined && witness.work !== "key") return "unchecked";
  return error?.authenticity ?? (witness.signer === undefined ? "unauthenticated" : "authentic");
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
    ...standingOf(registry, device),
  };
}

/**
 * A device that showed no token of its own, and for which a gateway may speak: it has no key, and its right ends with
 * the gateway's word alone.
 */
export function principalOfNoToken(
  registry: AdmissionRecord["registry"],
  device: NonNullable<AdmissionRecord["device"]>,
): DevicePrincipal {
  const never = Number.POSITIVE_INFINITY;
  return {
    registry: { project: registry.project, location: registry.location, registry: registry.registry },
    registryNumId: registry.numId,
    deviceId: device.deviceId,
    deviceNumId: device.numId,
    policy: registry.policy,
    ...{ keyId: "", keyFingerprint: "", keyState: "retired", alg: "ES256", leniencies: [] },
    ...{
      issuedAtSeconds: 0,
      expiresAtSeconds: never,
      deadlineSeconds: never,
      deadlineBecause: "token_expired",
    },
    ...standingOf(registry, device),
  };
}

/** Is it one of {@link principalOfNoToken}? */
export function isOfNoToken(principal: DevicePrincipal): boolean {
  return principal.keyFingerprint === "";
}

/** What is on record of the device beside its keys, for a principal made or judged again. */
export function standingOf(
  registry: AdmissionRecord["registry"],
  device: NonNullable<AdmissionRecord["device"]>,
): Pick<DevicePrincipal, "gatewayAuthMethod" | "logLevel" | "routes"> {
  return {
    gatewayAuthMethod: device.gatewayType === "GATEWAY" ? device.gatewayAuthMethod : undefined,
    logLevel: device.logLevel === "LOG_LEVEL_UNSPECIFIED" ? registry.logLevel : device.logLevel,
    routes: registry,
  };
}
