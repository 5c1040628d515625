/**
 * Kept clock: what is known of the time, in the small store, written at most once an hour.
 *
 * Flash wears out. A floor that is an hour old does as well as a fresh one, and the chip's record stays true while the
 * chip runs. Without a store everything goes on, and a restart knows nothing.
 *
 * Left to others: the bytes (`clock-value.ts`), when there is something to write (`time-keeper.ts`).
 */
import type { NumericDate } from "@mayfly/core";
import type { SmallStore } from "../ports.ts";
import { type ClockValue, clockValueKey, decodeClockValue, encodeClockValue } from "./clock-value.ts";
import type { RtcLedgerState } from "./rtc-ledger.ts";

export const storeEveryMillis = 3_600_000;

export class KeptClock {
  readonly #store: SmallStore | undefined;
  /** What an earlier life left; `isDamaged`: it left something that is not whole. */
  readonly value: ClockValue | undefined;
  readonly isDamaged: boolean;
  #dueMillis: number | undefined;
  #isBusy = false;
  #writes = 0;

  constructor(store: SmallStore | undefined) {
    this.#store = store;
    const bytes = store?.read(clockValueKey);
    this.value = bytes === undefined ? undefined : decodeClockValue(bytes);
    this.isDamaged = bytes !== undefined && this.value === undefined;
  }

  get writes(): number {
    return this.#writes;
  }

  /** Monotonic; infinite before a time was believed. */
  get dueMillis(): number {
    return this.#isBusy ? Number.POSITIVE_INFINITY : (this.#dueMillis ?? Number.POSITIVE_INFINITY);
  }

  /**
   * A time is believed, for the first time in this life: the last write was when the floor was true, so that a device
   * that restarts again and again writes no more than one that does not.
   */
  believed(now: NumericDate, nowMillis: number): void {
    if (this.#dueMillis !== undefined) return;
    const sinceMillis = this.value === undefined ? storeEveryMillis : (now - this.value.floorSeconds) * 1000;
    this.#dueMillis = nowMillis + Math.min(Math.max(storeEveryMillis - sinceMillis, 0), storeEveryMillis);
  }

  /** @returns Whether it is kept; without a store nothing is, and nobody minds. */
  async write(
    floorSeconds: NumericDate,
    ledger: RtcLedgerState | undefined,
    nowMillis: number,
  ): Promise<boolean> {
    this.#dueMillis = nowMillis + storeEveryMillis;
    if (this.#store === undefined) return true;
    this.#isBusy = true;
    this.#writes += 1;
    try {
      await this.#store.write(clockValueKey, encodeClockValue(floorSeconds, ledger));
      return true;
    } catch {
      return false;
    } finally {
      this.#isBusy = false;
    }
  }
}
