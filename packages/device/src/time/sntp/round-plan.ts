/**
 * The plan of a round: whom to ask next, for how long to wait, and when to be content.
 *
 * Servers are asked one after the other, each until it has answered once, by the limits of each; a round is over
 * when nobody is left who may be asked in time. So a server that is silent costs the round its wait and no more, and
 * an end is always in sight.
 */
import { openMillisMax } from "../datagram-exchange.ts";
import { delaySecondsMax } from "./ntp-packet.ts";

/** How long an answer is waited for: no longer than one could be believed, and its delay at the server. */
export const answerMillisMax = delaySecondsMax * 1_000 + 200;
/** A round takes no longer, and so `DeviceTime.correct`, which may wait for one, settles within its half minute. */
export const roundMillisMax = 24_000;

export type RoundStep =
  | { readonly kind: "ask"; readonly server: number }
  | { readonly kind: "wait"; readonly millis: number }
  | { readonly kind: "end" };

/** @param beganMillis Of the round. */
export function planRound(
  servers: readonly { readonly isDone: boolean; readonly limit: { readonly dueMillis: number } }[],
  beganMillis: number,
  nowMillis: number,
): RoundStep {
  let server = -1;
  let dueMillis = Number.POSITIVE_INFINITY;
  for (const [index, { isDone, limit }] of servers.entries()) {
    if (isDone || limit.dueMillis >= dueMillis) continue;
    server = index;
    dueMillis = limit.dueMillis;
  }
  const lastStartMillis = beganMillis + roundMillisMax - openMillisMax - answerMillisMax;
  if (Math.max(dueMillis, nowMillis) > lastStartMillis) return { kind: "end" };
  if (dueMillis > nowMillis) return { kind: "wait", millis: dueMillis - nowMillis };
  return { kind: "ask", server };
}
