/**
 * Clock value: what the device knows of its time, as the bytes that outlive a restart.
 *
 * One value, so that one write keeps all of it true together. Versioned and summed, for a store may be older than the
 * program, or worn: what cannot be read whole is as good as absent.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 1 | version, 1 |
 * | 1 | 1 | 1 record, 2 record is signed, 4 rate, 8 trimmed |
 * | 2 | 8 | time floor, seconds since 1970 (this and the following: IEEE 754, big-endian) |
 * | 10 | 24 | record: true time, chip ahead, bound, in seconds |
 * | 34 | 16 | rate and its bound, ppm |
 * | 50 | 8 | when the aging offset was trimmed, seconds since 1970 |
 * | 58 | 228 | drift fit |
 * | 286 | 4 | FNV-1a of all before |
 *
 * Left to others: when to write (`time-keeper.ts`), where (`SmallStore`).
 */
import type { NumericDate } from "@mayfly/core";
import { DriftFit, decodeDriftFit } from "./drift-fit.ts";
import { driftSamplesBytes } from "./drift-samples.ts";
import type { RtcLedgerState } from "./rtc-ledger.ts";

export const clockValueKey = "clock";
const version = 1;
const fitAt = 58;
const sumAt = fitAt + driftSamplesBytes;
export const clockValueBytes = sumAt + 4;

const bit = { record: 1, signed: 2, rate: 4, trimmed: 8 } as const;

export interface ClockValue {
  readonly floorSeconds: NumericDate;
  readonly ledger: RtcLedgerState;
}

/** @param ledger undefined: a device without a clock chip. */
export function encodeClockValue(floorSeconds: NumericDate, ledger: RtcLedgerState | undefined): Uint8Array {
  const { record, rate, trimmedSeconds, fit } = ledger ?? {};
  const bytes = new Uint8Array(clockValueBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = version;
  bytes[1] =
    (record === undefined ? 0 : bit.record) |
    (record?.basis === "signed" ? bit.signed : 0) |
    (rate === undefined ? 0 : bit.rate) |
    (trimmedSeconds === undefined ? 0 : bit.trimmed);
  view.setFloat64(2, floorSeconds);
  view.setFloat64(10, record?.refSeconds ?? 0);
  view.setFloat64(18, record?.aheadSeconds ?? 0);
  view.setFloat64(26, record?.boundSeconds ?? 0);
  view.setFloat64(34, rate?.ppm ?? 0);
  view.setFloat64(42, rate?.boundPpm ?? 0);
  view.setFloat64(50, trimmedSeconds ?? 0);
  if (fit !== undefined) bytes.set(fit.bytes, fitAt);
  view.setUint32(sumAt, fnv1a(bytes, sumAt));
  return bytes;
}

/** @returns undefined where the bytes are not whole, or of another version. */
export function decodeClockValue(bytes: Uint8Array): ClockValue | undefined {
  if (bytes.length !== clockValueBytes || bytes[0] !== version) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, clockValueBytes);
  if (view.getUint32(sumAt) !== fnv1a(bytes, sumAt)) return undefined;
  for (let at = 2; at < fitAt; at += 8) if (!Number.isFinite(view.getFloat64(at))) return undefined;
  const flags = bytes[1] ?? 0;
  const boundSeconds = view.getFloat64(26);
  const boundPpm = view.getFloat64(42);
  if (flags > 15 || boundSeconds < 0 || boundPpm < 0) return undefined;
  const record = {
    refSeconds: view.getFloat64(10),
    aheadSeconds: view.getFloat64(18),
    boundSeconds,
    basis: (flags & bit.signed) === 0 ? ("majority" as const) : ("signed" as const),
  };
  return {
    floorSeconds: view.getFloat64(2),
    ledger: {
      record: (flags & bit.record) === 0 ? undefined : record,
      rate: (flags & bit.rate) === 0 ? undefined : { ppm: view.getFloat64(34), boundPpm },
      trimmedSeconds: (flags & bit.trimmed) === 0 ? undefined : view.getFloat64(50),
      // A fit of another version costs a week of fitting, nothing else.
      fit: decodeDriftFit(bytes.slice(fitAt, sumAt)) ?? new DriftFit(),
    },
  };
}

/** Against wear, not against malice: whoever writes the store writes the sum too. */
function fnv1a(bytes: Uint8Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return hash >>> 0;
}
