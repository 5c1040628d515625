/**
 * What becomes of a message by the Reason Code of its PUBACK: one table (MQTT 5.0 §3.4.2.1).
 *
 * `done`: the bridge has it. `keep`: not now; it is sent again under another Packet Identifier after a pause, for a PUBACK
 * ends the life of the one it had (§4.3.2). `refuse`: the bridge will never take this message, so it is told and let go.
 *
 * Left to others: the pause and how often (`uplink.ts`).
 */
import type { reasonCodesOf } from "@mayfly/core/mqtt";

export type PubackAction = "done" | "keep" | "refuse";

type PubackCode = (typeof reasonCodesOf)["puback"][number];

const pubackActions: Readonly<Record<PubackCode, PubackAction>> = {
  /** Success. */
  0: "done",
  /** No matching subscribers: taken, and nobody listens. */
  16: "done",
  /** Unspecified error. */
  128: "keep",
  /** Implementation specific error. */
  131: "keep",
  /** Not authorized. */
  135: "refuse",
  /** Topic Name invalid. */
  144: "refuse",
  /** Packet identifier in use. */
  145: "keep",
  /** Quota exceeded. */
  151: "keep",
  /** Payload format invalid. */
  153: "refuse",
};

/** @param code Of a PUBACK that the decoder took, so one of the standard's; 0 in 3.1.1. */
export function actionOfPuback(code: number): PubackAction {
  const table: Readonly<Record<number, PubackAction>> = pubackActions;
  return table[code] ?? "refuse";
}
