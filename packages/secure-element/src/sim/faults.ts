/**
 * What can go wrong, by name, and how often or when.
 *
 * Each fault is drawn at its own opportunity from its own random stream, so that one seed gives one history. Faults
 * happen to the bus and the power; the chip behind them stays the same chip and never signs wrongly.
 */

import type { SimRandom } from "./sim-random.ts";
import { unitInterval } from "./sim-random.ts";

export type FaultName =
  /** Per transaction: the chip NACKs this one and up to {@link NACK_STORM_TRANSACTIONS_MAX} more. */
  | "nack_storm"
  /** Per transaction: one bit arrives turned over. */
  | "flipped_bit"
  /** Per Sign, GenKey or Verify: the supply sags in the middle, the chip resets. */
  | "brown_out"
  /** Per read: the chip holds SDA low until it sleeps, the power is cut, or nine clock pulses come. */
  | "stuck_sda"
  /** Per command: the watchdog puts the chip to sleep the moment the answer would be ready. */
  | "watchdog"
  /** Per command: execution takes anything up to the vendor's maximum. */
  | "slow_execution"
  /** Per command that writes EEPROM: the power is cut in the middle of the write. */
  | "torn_write"
  /** Per Sign, GenKey or Verify: the computation fails, the answer is 05. */
  | "ecc_fault"
  /** Per Sign, GenKey or Verify: the chip says that its watchdog leaves no time, EE. */
  | "watchdog_refusal"
  /** Per SelfTest and power-on self-test: it fails, and all commands answer 07 until the power is cut. */
  | "self_test_failure";

export const faultNames = [
  "nack_storm",
  "flipped_bit",
  "brown_out",
  "stuck_sda",
  "watchdog",
  "slow_execution",
  "torn_write",
  "ecc_fault",
  "watchdog_refusal",
  "self_test_failure",
] as const satisfies readonly FaultName[];

/** At each of these opportunities and at no other: the first is 1, both ends belong to it. */
export interface FaultSpan {
  readonly from: number;
  readonly until: number;
}

/** Probability, 0 to 1, per opportunity, or which opportunities; a fault not named never happens. */
export type FaultPlan = Readonly<Partial<Record<FaultName, number | FaultSpan>>>;

/** A storm of NACKs ends by itself: longer than any retry habit, shorter than a dead chip. */
export const NACK_STORM_TRANSACTIONS_MAX = 40;

/** @returns A die that answers whether the named fault happens now. */
export function faultDie(plan: FaultPlan, random: SimRandom): (name: FaultName) => boolean {
  const opportunities: Partial<Record<FaultName, number>> = {};
  return (name) => {
    const when = plan[name] ?? 0;
    if (typeof when === "number") return when > 0 && unitInterval(random) < when;
    const count = (opportunities[name] ?? 0) + 1;
    opportunities[name] = count;
    return count >= when.from && count <= when.until;
  };
}

/** @returns The bytes with one bit turned over; nothing to turn in no bytes. */
export function flipOneBit(bytes: Uint8Array, random: SimRandom): Uint8Array {
  if (bytes.length === 0) return bytes;
  const flipped = bytes.slice();
  const bit = Math.floor(unitInterval(random) * bytes.length * 8);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}
