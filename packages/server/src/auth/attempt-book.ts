/**
 * What becomes of an attempt once it is decided: a metric, a record, perhaps an alarm.
 *
 * A device over HTTP shows the same token with each request, so equal attempts are one series and one record. Of
 * what a key proved, equal means the same token, source, way in and outcome; of what nobody proved, the same
 * outcome under the device's name, since whoever invents tokens and has addresses must not be able to make us
 * write. The first of a series is written at once; later ones are counted, and the record is brought up to date
 * at most once in {@link refusedNoteMillis}, of what is accepted once in {@link acceptedNoteMillis}. A device that
 * makes a token for each request begins no more than {@link seriesAtOnceMax} series, then one in
 * {@link seriesIntervalMillis}; what comes between is one series, whatever its tokens.
 *
 * Left to others: keeping (`registry/store.ts`), what counts as evidence (`evidence.ts`).
 */
import { type DeviceName, formatDeviceName, type NumericDate } from "@mayfly/core";
import type { JwtClaims } from "@mayfly/core/token";
import type { AdmissionRecord, DeviceRef, KeyRecord } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { AlarmFacts } from "./alarm.ts";
import type {
  AttemptRecord,
  AuthenticationOutcome,
  AuthenticationPurpose,
  EvidenceRecord,
  PeerFacts,
  RecordedAuthenticity,
} from "./authentication-record.ts";
import { BoundedMap } from "./bounded-map.ts";
import { EvidenceDetector, type Finding } from "./evidence.ts";
import type { KnownToken } from "./verified-tokens.ts";

/** How far the count and the last time of a record may lag behind, for refused and for accepted attempts. */
export const refusedNoteMillis = 60_000;
export const acceptedNoteMillis = 900_000;
/** Series of attempts that a key proved, and of others; some 400 bytes each. */
export const provedSeriesMax = 16_384;
export const unprovedSeriesMax = 4_096;
/** Series that a device may begin by proof of its key: so many at once, then one in each interval. */
export const seriesAtOnceMax = 10;
export const seriesIntervalMillis = 60_000;

export interface Attempt {
  readonly deviceName: DeviceName;
  readonly bridge: "mqtt" | "http";
  readonly purpose: AuthenticationPurpose;
  readonly peer: PeerFacts;
  /** Where the peer is, as `sourceOf` has it. */
  readonly source: string;
  readonly outcome: AuthenticationOutcome;
  readonly authenticity: RecordedAuthenticity;
  /** What the token says, where it could be read. */
  readonly claims: JwtClaims | undefined;
  /** The key that signed. */
  readonly signer: KeyRecord | undefined;
  /** What stands for the token, and what was known of it before this attempt. */
  readonly digest: string;
  readonly known: KnownToken | undefined;
  readonly arrivalSeconds: NumericDate;
  readonly monotonicMillis: number;
}

/** What the book tells while it works: for metrics and the log. */
export interface AttemptObserver {
  /** Somebody came with a token and was judged. Repeated ones too. */
  attempted(facts: Pick<Attempt, "bridge" | "purpose" | "authenticity" | "outcome">): void;
  /** Something a person should look at; nobody was refused for it. */
  alarm(facts: AlarmFacts): void;
}

interface Series {
  readonly id: string;
  readonly first: Pick<AttemptRecord, "arrivalMs" | "isFirstSeen" | "offsetSeconds">;
  attempts: number;
  notedMillis: number;
}

export class AttemptBook {
  readonly #registry: Pick<RegistryStore, "recordAuthentication">;
  readonly #observer: AttemptObserver;
  readonly #proved = new BoundedMap<string, Series>(provedSeriesMax);
  readonly #unproved = new BoundedMap<string, Series>(unprovedSeriesMax);
  /** Devices that began a series lately. */
  readonly #beginnings = new BoundedMap<string, number>(provedSeriesMax);
  readonly #evidence = new EvidenceDetector();
  #written = 0;

  constructor(ports: {
    readonly registry: Pick<RegistryStore, "recordAuthentication">;
    readonly observer: AttemptObserver;
  }) {
    this.#registry = ports.registry;
    this.#observer = ports.observer;
  }

  get series(): number {
    return this.#proved.size + this.#unproved.size;
  }

  /** @param record what the registry has under the attempt's name. */
  note(attempt: Attempt, record: AdmissionRecord | undefined): void {
    const { bridge, purpose, authenticity, outcome, known } = attempt;
    this.#observer.attempted({ bridge, purpose, authenticity, outcome });
    const device = record?.device;
    const ref =
      device === undefined ? undefined : { ...registryOf(attempt.deviceName), device: device.deviceId };
    if (known !== undefined && !isSameDevice(known.device, ref ?? attempt.deviceName)) {
      this.#noteReuse(attempt, known);
    }
    if (device === undefined || ref === undefined) return;
    const offsetSeconds = offsetOf(attempt);
    this.#noteAttempt(attempt, device.numId, offsetSeconds);
    if (authenticity === "authentic" && attempt.signer !== undefined) {
      const findings = this.#evidence.see({
        device: device.numId,
        keyFingerprint: attempt.signer.fingerprint,
        remoteAddress: attempt.peer.remoteAddress,
        monotonicMillis: attempt.monotonicMillis,
        ...(offsetSeconds === undefined ? {} : { offsetSeconds }),
      });
      for (const finding of findings) {
        this.#raise(finding, attempt, { ref, numId: device.numId, keyId: attempt.signer.keyId });
      }
    }
  }

  /** A token that is known as one device's came under the name of another, whatever came of it. */
  #noteReuse(attempt: Attempt, known: KnownToken): void {
    if (!this.#evidence.mayTell(known.deviceNumId, "token_reused", attempt.monotonicMillis)) return;
    const addresses = [known.remoteAddress, attempt.peer.remoteAddress] as const;
    this.#raise({ kind: "token_reused", addresses }, attempt, {
      ref: known.device,
      numId: known.deviceNumId,
      keyId: known.keyId,
      otherDevice: attempt.deviceName,
    });
  }

  #raise(
    { kind, addresses }: Finding,
    attempt: Attempt,
    about: {
      readonly ref: DeviceRef;
      readonly numId: string;
      readonly keyId: string;
      readonly otherDevice?: DeviceName;
    },
  ): void {
    const { ref, numId, keyId, otherDevice } = about;
    const other = otherDevice === undefined ? {} : { otherDevice };
    this.#observer.alarm({ kind, device: ref, addresses, keyId, ...other });
    const record: EvidenceRecord = {
      kind: "evidence",
      arrivalMs: Math.round(attempt.arrivalSeconds * 1000),
      evidence: kind,
      remoteAddresses: addresses,
      keyId,
      ...(otherDevice === undefined ? {} : { otherDevice: formatDeviceName(otherDevice) }),
    };
    this.#registry.recordAuthentication({
      device: { ...registryOf(ref), device: numId },
      series: this.#nextId(record.arrivalMs),
      record,
    });
  }

  #noteAttempt(attempt: Attempt, numId: string, offsetSeconds: number | undefined): void {
    const { bridge, purpose, outcome, authenticity, digest, monotonicMillis } = attempt;
    const isProved = authenticity === "authentic";
    const open = isProved ? this.#proved : this.#unproved;
    const apart = isProved ? [bridge, purpose, digest, attempt.source] : [];
    let name = [numId, outcome, ...apart].join(" ");
    const lastMs = Math.round(attempt.arrivalSeconds * 1000);
    let series = open.find(name);
    if (series === undefined && isProved && !this.#mayBegin(numId, monotonicMillis)) {
      name = [numId, outcome, bridge, purpose].join(" ");
      series = open.find(name);
    }
    if (series === undefined) {
      const first = {
        arrivalMs: lastMs,
        ...(isProved ? { isFirstSeen: attempt.known === undefined } : {}),
        ...(offsetSeconds === undefined ? {} : { offsetSeconds }),
      };
      series = { id: this.#nextId(lastMs), first, attempts: 1, notedMillis: monotonicMillis };
      open.set(name, series);
    } else {
      series.attempts += 1;
      const interval = outcome === "accepted" ? acceptedNoteMillis : refusedNoteMillis;
      if (monotonicMillis - series.notedMillis < interval) return;
      series.notedMillis = monotonicMillis;
    }
    const { claims, signer } = attempt;
    const record: AttemptRecord = {
      kind: "attempt",
      ...attempt.peer,
      lastMs,
      attempts: series.attempts,
      bridge,
      purpose,
      outcome,
      authenticity,
      ...(claims === undefined ? {} : { iat: claims.iat, exp: claims.exp }),
      ...(claims?.u === undefined ? {} : { u: claims.u }),
      ...(signer === undefined ? {} : { keyId: signer.keyId }),
      ...(signer?.slot === undefined ? {} : { slot: signer.slot }),
      ...series.first,
    };
    const device = { ...registryOf(attempt.deviceName), device: numId };
    this.#registry.recordAuthentication({ device, series: series.id, record });
  }

  /** Taking the turn, where there is one. */
  #mayBegin(numId: string, nowMillis: number): boolean {
    // When its allowance will be whole again: a full one lies in the past, an empty one ten intervals ahead.
    const wholeMillis = Math.max(this.#beginnings.find(numId) ?? nowMillis, nowMillis);
    if (wholeMillis - nowMillis > (seriesAtOnceMax - 1) * seriesIntervalMillis) return false;
    this.#beginnings.set(numId, wholeMillis + seriesIntervalMillis);
    return true;
  }

  #nextId(atMs: number): string {
    this.#written += 1;
    return `${atMs.toString(36)}-${this.#written.toString(36)}`;
  }
}

/** What the clock that issued the token says beside ours, in seconds to the millisecond. */
function offsetOf({ authenticity, known, claims, arrivalSeconds }: Attempt): number | undefined {
  if (authenticity !== "authentic" || known !== undefined || claims === undefined) return undefined;
  return Math.round((claims.iat + (claims.u ?? 0) - arrivalSeconds) * 1000) / 1000;
}

function registryOf({ project, location, registry }: DeviceName): Omit<DeviceName, "device"> {
  return { project, location, registry };
}

function isSameDevice(one: DeviceName, other: DeviceName): boolean {
  return (
    one.device === other.device &&
    one.registry === other.registry &&
    one.location === other.location &&
    one.project === other.project
  );
}
