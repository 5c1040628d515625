/**
 * What the time keeper shows of itself: a snapshot to poll, and events to listen to. Times and codes, no secrets.
 */
import type { NumericDate } from "@mayfly/core";
import type { WaitingCode } from "./believed-time.ts";
import type { RtcState } from "./rtc-keeper.ts";
import type { Basis, SourceKind, Trust } from "./trust-rules.ts";

export interface TimeStatus {
  readonly trust: Trust;
  /** How long that has been so. */
  readonly forSeconds: number;
  /** Present while nothing may be signed. */
  readonly waitingBecause?: WaitingCode;
  /** Absent while untrusted. */
  readonly now?: NumericDate;
  readonly uncertaintySeconds?: number;
  /** The last source that was believed, and what the time rests on. */
  readonly source?: SourceKind;
  readonly basis?: Basis;
  readonly floorSeconds: NumericDate;
  /** What became of the last question, where there is such a source. */
  readonly ntp?: string;
  readonly signed?: string;
  readonly rtc?: RtcStatus;
  /** Of the small store, in this life. */
  readonly storeWrites: number;
}

export interface RtcStatus {
  readonly state: RtcState;
  /** Positive: fast. Within ± `driftBoundPpm`. */
  readonly driftPpm: number;
  readonly driftBoundPpm: number;
  /** Why it is unusable. */
  readonly trouble?: string;
  readonly temperatureC?: number;
  readonly aging?: number;
}

export type TimeEvent =
  | { readonly kind: "trust"; readonly trust: Trust; readonly because?: WaitingCode }
  /** More than slewing mends. `by`: forward. */
  | { readonly kind: "stepped"; readonly bySeconds: number; readonly source: SourceKind }
  /** A signature or a majority says that the time believed before was wrong. */
  | { readonly kind: "floor_lowered"; readonly floorSeconds: NumericDate; readonly source: SourceKind }
  /** Servers agree on a time that only a signature may make us believe. */
  | { readonly kind: "signature_wanted"; readonly source: SourceKind }
  | { readonly kind: "rtc"; readonly state: RtcState; readonly trouble?: string }
  /** The clock chip is surely worse than any of its kind; told once. */
  | { readonly kind: "drift_alert"; readonly ppm: number; readonly boundPpm: number }
  /** The store held a value that is not whole; it is as good as absent. */
  | { readonly kind: "store_damaged" }
  | { readonly kind: "store_failed" };
