/**
 * The configurations a command can name.
 */
import {
  type ConfigOrder,
  mayflyConfigOrder,
  mayflyImmutableConfigOrder,
} from "@mayfly/secure-element/provisioning";

export const planNames = ["mayfly", "mayfly-immutable"] as const;
export type PlanName = (typeof planNames)[number];

/** @param address 7-bit: where the chip is to answer. */
export function orderOf(name: PlanName, address: number): ConfigOrder {
  const order = name === "mayfly" ? mayflyConfigOrder : mayflyImmutableConfigOrder;
  return { ...order, address };
}
