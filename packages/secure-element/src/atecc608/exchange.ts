/**
 * One command group and its response: send, poll, read. What to make of the outcome is left to `command-sequence.ts`.
 *
 * While the chip executes it acknowledges nothing, so a NACK is the poll's "not yet" (atecc608.md §1.5). Both reading
 * styles are known: the whole response at once, where each poll is one transaction; and rewind, count, rest.
 */
import type { ChipLink } from "./chip-link.ts";
import { DEADLINE_MARGIN_MILLIS } from "./execution-times.ts";
import {
  type ChipResponse,
  decodeResponse,
  RESPONSE_BYTES_MAX,
  RESPONSE_FRAME_BYTES,
  STATUS_RESPONSE_BYTES,
  wordAddresses,
} from "./packet.ts";

/** "whole": fewest transactions. "rewind": for hosts with short buffers, and parts that insist on it. */
export type ReadingStyle = "whole" | "rewind";

export type ExchangeOutcome =
  | ChipResponse
  /** Neither the group nor its repetition was acknowledged: it was not carried out. */
  | { readonly kind: "not_taken" }
  /** Taken, and no answer by the deadline. */
  | { readonly kind: "silent" };

export interface ExchangeLimits {
  readonly firstPollMillis: number;
  /** The vendor's maximum; the deadline lies {@link DEADLINE_MARGIN_MILLIS} beyond. */
  readonly executionMillisMax: number;
}

const POLL_MILLIS = 2;
/** A damaged answer lies in the chip still, and can be read again. */
export const REREADS_MAX = 2;

/** @param responseBytes Data bytes expected, 0 for a status. @throws {ChipError} (rejects) `bus_…`. */
export async function exchange(
  link: ChipLink,
  style: ReadingStyle,
  frame: Uint8Array,
  responseBytes: number,
  limits: ExchangeLimits,
): Promise<ExchangeOutcome> {
  if (!(await link.write(frame))) {
    await link.delayMillis(1);
    if (!(await link.write(frame))) return { kind: "not_taken" };
  }
  const first = await pollForResponse(link, style, responseBytes, limits);
  if (first === undefined) return { kind: "silent" };
  let response = decodeResponse(first);
  for (let reread = 1; response.kind === "malformed" && reread <= REREADS_MAX; reread++) {
    const again = await readWithRewind(link);
    if (again !== undefined) response = decodeResponse(again);
  }
  return response;
}

async function pollForResponse(
  link: ChipLink,
  style: ReadingStyle,
  responseBytes: number,
  limits: ExchangeLimits,
): Promise<Uint8Array | undefined> {
  const budgetMillis = limits.executionMillisMax + DEADLINE_MARGIN_MILLIS;
  const deadlineMillis = link.millis() + budgetMillis;
  // Counted as well as timed, so that a clock that stands still cannot keep us here.
  const pollsMax = Math.ceil(budgetMillis / POLL_MILLIS) + 1;
  await link.delayMillis(limits.firstPollMillis);
  for (let poll = 1; ; poll++) {
    // The clock is read before the poll: a host that overslept still asks once after the deadline.
    const isLast = poll >= pollsMax || link.millis() >= deadlineMillis;
    const bytes =
      style === "rewind"
        ? await readWithRewind(link)
        : await link.read(Math.max(STATUS_RESPONSE_BYTES, responseBytes + RESPONSE_FRAME_BYTES));
    if (bytes !== undefined) return bytes;
    if (isLast) return undefined;
    await link.delayMillis(POLL_MILLIS);
  }
}

/** Word address 00, one byte, the rest. @returns undefined on a NACK anywhere. */
async function readWithRewind(link: ChipLink): Promise<Uint8Array | undefined> {
  if (!(await link.write(Uint8Array.of(wordAddresses.reset)))) return undefined;
  const head = await link.read(1);
  if (head === undefined) return undefined;
  const count = head[0] ?? 0;
  // Not a count: no use in reading on. The single byte is judged malformed.
  if (count < STATUS_RESPONSE_BYTES || count > RESPONSE_BYTES_MAX) return head;
  const rest = await link.read(count - 1);
  if (rest === undefined) return undefined;
  const whole = new Uint8Array(count);
  whole[0] = count;
  whole.set(rest, 1);
  return whole;
}
