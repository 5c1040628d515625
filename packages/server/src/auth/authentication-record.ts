/**
 * The authentication record: what happened when somebody came with a token of a device, as it is kept.
 *
 * One record stands for a series of equal attempts: the same token from the same place with the same outcome
 * is counted, not written again (`attempt-book.ts` has the rule). What nobody proved is kept apart from what a
 * key of the device proved, each with its own bound, so that strangers can't push a device's own past out.
 * Only devices that exist have records, and they go with the device.
 *
 * Nothing here is a token, a key or a signature. The claims of an attempt that is not authentic are hearsay.
 */
import type { Authenticity, TokenErrorCode } from "@mayfly/core/token";
import type { DeviceRef } from "../registry/model.ts";
import type { AlarmKind } from "./alarm.ts";

/** What a bridge knows of its peer without believing it anything. */
export interface PeerFacts {
  readonly remoteAddress: string;
  readonly tlsVersion?: string;
  /** Was the TLS session resumed? */
  readonly tlsResumed?: boolean;
}

export type AuthenticationPurpose = "connect" | "reauthenticate" | "request" | "attach";
export type AuthenticationOutcome = "accepted" | "bridge_disabled" | TokenErrorCode;
/** `unchecked`: no signature was looked at, so nothing is known. */
export type RecordedAuthenticity = Authenticity | "unchecked";

export interface AttemptRecord extends PeerFacts {
  readonly kind: "attempt";
  /** Wall time of the first attempt of the series, epoch milliseconds. */
  readonly arrivalMs: number;
  /** Of the latest that was noted; see `attempt-book.ts` for how far it may lag. */
  readonly lastMs: number;
  /** Attempts in the series so far, 1 or more. */
  readonly attempts: number;
  readonly bridge: "mqtt" | "http";
  readonly purpose: AuthenticationPurpose;
  readonly outcome: AuthenticationOutcome;
  readonly authenticity: RecordedAuthenticity;
  /** Had this process not verified this very token before? Known of authentic attempts only. */
  readonly isFirstSeen?: boolean;
  /** NumericDate, as the token says; absent where it could not be read. */
  readonly iat?: number;
  readonly exp?: number;
  /** Claim `u`: by how many seconds `iat` was backdated. */
  readonly u?: number;
  /** `iat + u - arrival`: the device's clock against ours, negative when it is behind. Authentic, first-seen tokens only. */
  readonly offsetSeconds?: number;
  /** The key that signed. */
  readonly keyId?: string;
  readonly slot?: number;
}

/** Something that does not fit one device with one key in one place. */
export interface EvidenceRecord {
  readonly kind: "evidence";
  readonly arrivalMs: number;
  readonly evidence: Exclude<AlarmKind, "takeover_storm">;
  readonly remoteAddresses: readonly string[];
  readonly keyId?: string;
  /** The name a token of this device came under: `projects/…/devices/…`. */
  readonly otherDevice?: string;
}

export type AuthenticationRecord = AttemptRecord | EvidenceRecord;

/** On its way to the store. */
export interface AuthenticationUpdate {
  /** By numId: a device made later under the same name inherits nothing. */
  readonly device: DeviceRef;
  /** A later update with the same series replaces the record; unique for a device and a run of the bridge. */
  readonly series: string;
  readonly record: AuthenticationRecord;
}

export type RecordClass = "proved" | "unproved" | "evidence";

/** Records kept for a device, the newest of each class: 50 together. */
export const recordsKeptMax: Readonly<Record<RecordClass, number>> = {
  proved: 30,
  unproved: 10,
  evidence: 10,
};
export const recordsListedMax = recordsKeptMax.proved + recordsKeptMax.unproved + recordsKeptMax.evidence;

export function recordClassOf(record: AuthenticationRecord): RecordClass {
  if (record.kind === "evidence") return "evidence";
  return record.authenticity === "authentic" ? "proved" : "unproved";
}

/** When it happened last: what lists are ordered by, newest first. */
export function recordTimeOf(record: AuthenticationRecord): number {
  return record.kind === "evidence" ? record.arrivalMs : record.lastMs;
}
