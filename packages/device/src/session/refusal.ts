/**
 * What the agent does about each answer that is not "accepted": one table, reason to action, and one, action to backoff.
 *
 * Left to others: how long the backoff is (`backoff.ts`), and whether a refused token was refused for its time
 * (`token/clock-doubt.ts`).
 */
import type { reasonCodesOf } from "@mayfly/core/mqtt";
import type { BackoffCause } from "./backoff.ts";

/**
 * `retry`: the bridge is busy or away; the same token will do. `mint`: the token was not good enough; another is made
 * for the next try. `wait`: nothing the device does by itself will help soon. `reconnect`: a connection was ended in
 * the ordinary course. `yield`: another connection of our name took over, and pushing back would go on for ever.
 */
export type RefusalAction = "retry" | "mint" | "wait" | "reconnect" | "yield";

/** Which backoff an action goes by; a connection that ends before it was stable is `kicked` instead of `network`. */
export const backoffCauseOf = {
  retry: "busy",
  mint: "refused",
  wait: "protocol",
  reconnect: "network",
  yield: "kicked",
} as const satisfies Record<RefusalAction, BackoffCause>;

export interface Refusal {
  readonly action: RefusalAction;
  readonly sentence: string;
}

/**
 * What a PUBACK makes of a QoS 1 message. `done`: it arrived. `again`: not taken now, and nothing is wrong with it; it is
 * kept and sent again as a new message, after a pause. `drop`: it will not be taken; it is settled as refused.
 */
export type PubackAction = "done" | "again" | "drop";

/** A message that was answered `again` so often is dropped all the same, lest one keep all others from going. */
export const againTimesMax = 16;
/** After `again`, nothing is sent for so long: the bridge has no room. */
export const againPauseMillis = 5_000;

type ConnackCode = Exclude<(typeof reasonCodesOf)["connack"][number], 0>;
type ReturnCode = Exclude<(typeof reasonCodesOf)["connack311"][number], 0>;
type DisconnectCode = (typeof reasonCodesOf)["disconnectFromServer"][number];
type PubackCode = (typeof reasonCodesOf)["puback"][number];

/** CONNACK Reason Codes, MQTT 5.0 §3.2.2.2. */
const connackRefusals = {
  128: { action: "retry", sentence: "the bridge refused without a reason" },
  129: { action: "wait", sentence: "the bridge could not read our CONNECT" },
  130: { action: "wait", sentence: "the bridge found our CONNECT against the protocol" },
  131: { action: "retry", sentence: "the bridge refused for a reason of its own" },
  132: { action: "wait", sentence: "the bridge does not speak this version of MQTT" },
  133: { action: "wait", sentence: "the bridge does not take our Client Identifier" },
  134: { action: "mint", sentence: "the bridge did not believe the token" },
  135: { action: "mint", sentence: "not authorized" },
  136: { action: "retry", sentence: "the bridge is not available" },
  137: { action: "retry", sentence: "the bridge is busy" },
  138: { action: "wait", sentence: "the device is banned" },
  140: { action: "wait", sentence: "the bridge does not know our authentication method" },
  144: { action: "wait", sentence: "the bridge refused our Will's Topic Name" },
  149: { action: "wait", sentence: "our CONNECT was too large" },
  151: { action: "retry", sentence: "a quota is exceeded" },
  153: { action: "wait", sentence: "the bridge refused our Will's payload" },
  154: { action: "wait", sentence: "the bridge does not retain messages" },
  155: { action: "wait", sentence: "the bridge does not support this QoS" },
  156: { action: "retry", sentence: "the bridge asks us to use another server for now" },
  157: { action: "wait", sentence: "the bridge has moved" },
  159: { action: "retry", sentence: "too many connections at once" },
} as const satisfies Record<ConnackCode, Refusal>;

/** CONNACK return codes, MQTT 3.1.1 §3.2.2.3. */
const returnCodeRefusals = {
  1: { action: "wait", sentence: "the bridge does not speak this version of MQTT" },
  2: { action: "wait", sentence: "the bridge does not take our Client Identifier" },
  3: { action: "retry", sentence: "the bridge is not available" },
  4: { action: "mint", sentence: "the bridge did not believe the token" },
  5: { action: "mint", sentence: "not authorized" },
} as const satisfies Record<ReturnCode, Refusal>;

/** DISCONNECT Reason Codes from a server, MQTT 5.0 §3.14.2.1. */
const disconnectRefusals = {
  0: { action: "reconnect", sentence: "the bridge closed the connection" },
  128: { action: "retry", sentence: "the bridge closed the connection without a reason" },
  129: { action: "wait", sentence: "the bridge could not read a packet of ours" },
  130: { action: "wait", sentence: "the bridge found a packet of ours against the protocol" },
  131: { action: "retry", sentence: "the bridge closed for a reason of its own" },
  135: { action: "mint", sentence: "not authorized" },
  137: { action: "retry", sentence: "the bridge is busy" },
  139: { action: "reconnect", sentence: "the bridge is shutting down" },
  141: { action: "reconnect", sentence: "the bridge did not hear from us in time" },
  142: { action: "yield", sentence: "another connection of this device took over" },
  143: { action: "wait", sentence: "the bridge refused a Topic Filter of ours" },
  144: { action: "wait", sentence: "the bridge refused a Topic Name of ours" },
  147: { action: "retry", sentence: "we sent more at once than the bridge allows" },
  148: { action: "wait", sentence: "the bridge refused a Topic Alias of ours" },
  149: { action: "wait", sentence: "a packet of ours was too large" },
  150: { action: "retry", sentence: "we sent too often" },
  151: { action: "retry", sentence: "a quota is exceeded" },
  152: { action: "mint", sentence: "an operator ended the connection" },
  153: { action: "wait", sentence: "the bridge refused a payload of ours" },
  154: { action: "wait", sentence: "the bridge does not retain messages" },
  155: { action: "wait", sentence: "the bridge does not support this QoS" },
  156: { action: "retry", sentence: "the bridge asks us to use another server for now" },
  157: { action: "wait", sentence: "the bridge has moved" },
  158: { action: "wait", sentence: "the bridge has no shared subscriptions" },
  159: { action: "retry", sentence: "too many connections at once" },
  160: { action: "mint", sentence: "the connection reached its maximum time" },
  161: { action: "wait", sentence: "the bridge has no Subscription Identifiers" },
  162: { action: "wait", sentence: "the bridge has no wildcard subscriptions" },
} as const satisfies Record<DisconnectCode, Refusal>;

/** PUBACK Reason Codes, MQTT 5.0 §3.4.2.1. */
const pubackActions = {
  0: "done",
  // No matching subscribers: the bridge has it, and nobody asked for it yet.
  16: "done",
  128: "again",
  131: "again",
  135: "drop",
  144: "drop",
  // Packet Identifier in use: ours is not to be trusted, the message is.
  145: "again",
  151: "again",
  153: "drop",
} as const satisfies Record<PubackCode, PubackAction>;

/** @param reasonCode Of a PUBACK; in 3.1.1, which has none, 0. A code outside the standard's table is as good as `drop`. */
export function actionOfPuback(reasonCode: number): PubackAction {
  const table: Readonly<Record<number, PubackAction>> = pubackActions;
  return table[reasonCode] ?? "drop";
}

/** @param reasonCode Of a CONNACK, not 0. A code outside the standard's table means "try seldom". */
export function refusalOfConnack(protocolVersion: 4 | 5, reasonCode: number): Refusal {
  return protocolVersion === 5 ? find(connackRefusals, reasonCode) : find(returnCodeRefusals, reasonCode);
}

/** @param reasonCode Of a DISCONNECT the bridge sent. */
export function refusalOfDisconnect(reasonCode: number): Refusal {
  return find(disconnectRefusals, reasonCode);
}

function find(table: Readonly<Record<number, Refusal>>, code: number): Refusal {
  return table[code] ?? { action: "wait", sentence: `the bridge answered with the unknown code ${code}` };
}
