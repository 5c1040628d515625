/**
 * How to break what a whole fleet is promised of its renewals, both ways at once and through a rough network.
 */
import type { Sabotage } from "./table.ts";

const fleet = {
  test: "packages/sim/test/renewals-500x50.test.ts",
  name: "the same through cuts and silence",
} as const;

export const fleetRenewalRows: readonly Sabotage[] = [
  {
    ...fleet,
    promise: "However often a fleet renews and loses its links, each device ends with one session.",
    deed: "let the end of an old connection take the newcomer out by its number",
    file: "packages/server/src/mqtt/session-table.ts",
    find: "if (this.#byNumId.get(principal.deviceNumId) === entry) this.#byNumId.delete(principal.deviceNumId);",
    replace: "this.#byNumId.delete(principal.deviceNumId);",
  },
  {
    ...fleet,
    promise:
      "A command in flight at a renewal is answered all the same, and what is called delivered was handled.",
    deed: "forget at a handover what is in flight to the device",
    file: "packages/server/src/mqtt/downlink.ts",
    find: "inFlight: this.#owner.openWindow?.takeOut(this) ?? new Map(),",
    replace: "inFlight: new Map(),",
  },
  {
    ...fleet,
    promise: "When a fleet that renewed is gone, nothing of it is counted any more.",
    deed: "count an admitted connection for ever",
    file: "packages/server/src/mqtt/bridge.ts",
    find: "    this.#admitted -= 1;\n",
    replace: "",
  },
];
