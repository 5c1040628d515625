/**
 * The status line of `mayfly agent --json`: one JSON object a second, and a last one at the end.
 *
 * `newlyAcked` lists what was acknowledged since the line before, so that all lines together name every
 * acknowledged message once.
 */
import type { SequenceRange } from "./sequence-set.ts";

export interface AgentLine {
  /** RFC 3339. */
  readonly at: string;
  readonly id: string;
  readonly state: string;
  readonly slot?: number;
  readonly keyId: string;
  /** Absent before the first connection. */
  readonly tokenRemainingSeconds?: number;
  /** How the next renewal is to be done; absent while not connected. */
  readonly renewal?: "reauthentication" | "handover" | "reconnect";
  readonly renewals: number;
  readonly connects: number;
  readonly sent: number;
  readonly acked: number;
  readonly refused: number;
  readonly queued: number;
  /** The longest time a credential kept a message waiting. */
  readonly gapMs: number;
  readonly newlyAcked: readonly SequenceRange[];
  readonly lastRefusal?: string;
  /** How its clock fares, in words, where it keeps one by itself. */
  readonly clock?: string;
}

/** The payload of an agent's message. */
export interface AgentPayload {
  /** Tells the messages of one run from those of another. */
  readonly run: string;
  /** From 1, without holes. */
  readonly sequence: number;
  readonly at: string;
}

/** @returns undefined for a line that is none of ours. */
export function parseAgentLine(text: string): AgentLine | undefined {
  const value = parseObject(text);
  if (value === undefined || typeof value["id"] !== "string" || !Array.isArray(value["newlyAcked"]))
    return undefined;
  return value as unknown as AgentLine;
}

/** @returns undefined for a payload that no agent of ours made. */
export function parseAgentPayload(text: string): AgentPayload | undefined {
  const value = parseObject(text);
  if (value === undefined || typeof value["run"] !== "string" || !Number.isSafeInteger(value["sequence"]))
    return undefined;
  return value as unknown as AgentPayload;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
