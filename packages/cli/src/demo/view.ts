/**
 * What the demo knows of its devices at one moment: the agents' reports beside the ledger's count of losses.
 */
import type { AgentLine } from "./agent-line.ts";

/** One device, as the JSON line shows it. */
export interface DemoDeviceView {
  readonly id: string;
  /** Slot of the key in use; null before the agent has spoken. */
  readonly slot: number | null;
  readonly tokenRemainingSeconds: number | null;
  readonly renewals: number;
  readonly sent: number;
  readonly acked: number;
  /** Acknowledged, and not delivered by the pull subscription within the settle time. */
  readonly lost: number;
  /** The longest time a credential kept a message waiting. */
  readonly gapMs: number;
}

export interface DemoView {
  /** RFC 3339. */
  readonly at: string;
  readonly devices: readonly DemoDeviceView[];
}

/** @param line What the agent said last; undefined before its first word. */
export function viewDevice(id: string, line: AgentLine | undefined, lost: number): DemoDeviceView {
  return {
    id,
    slot: line?.slot ?? null,
    tokenRemainingSeconds: line?.tokenRemainingSeconds ?? null,
    renewals: line?.renewals ?? 0,
    sent: line?.sent ?? 0,
    acked: line?.acked ?? 0,
    lost,
    gapMs: line?.gapMs ?? 0,
  };
}
