/**
 * What the demo shows: the same facts as a table, as a plain line a device, or as one JSON line a second.
 */
import { formatDuration, formatTable } from "../output.ts";
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

/** A table with a line of sums below it; the same number of lines each time, so that it can be drawn over. */
export function formatDemoTable(view: DemoView, runningSeconds: number): string {
  const table = formatTable(
    ["DEVICE", "SLOT", "TOKEN LEFT", "RENEWALS", "SENT", "ACKED", "LOST", "GAP MS"],
    view.devices.map((device) => [
      device.id,
      device.slot === null ? "-" : String(device.slot),
      device.tokenRemainingSeconds === null ? "-" : `${device.tokenRemainingSeconds} s`,
      String(device.renewals),
      String(device.sent),
      String(device.acked),
      String(device.lost),
      String(device.gapMs),
    ]),
  );
  return `${table}\n${formatSums(view, runningSeconds)}`;
}

/** A line a device, for logs. */
export function formatDemoLines(view: DemoView): string {
  return view.devices
    .map(
      (device) =>
        `${view.at}  ${device.id}  slot ${device.slot ?? "-"}  token ${device.tokenRemainingSeconds ?? "-"} s  ` +
        `renewals ${device.renewals}  sent ${device.sent}  acked ${device.acked}  lost ${device.lost}  gap ${device.gapMs} ms`,
    )
    .join("\n");
}

/** `40 s: 8 renewals, 200 acknowledged, 0 lost`. */
export function formatSums(view: DemoView, runningSeconds: number): string {
  const sum = (of: (device: DemoDeviceView) => number): number =>
    view.devices.reduce((total, device) => total + of(device), 0);
  return (
    `${formatDuration(runningSeconds)}: ${sum((device) => device.renewals)} renewals, ` +
    `${sum((device) => device.acked)} messages acknowledged, ${sum((device) => device.lost)} lost`
  );
}
