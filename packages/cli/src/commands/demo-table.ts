/**
 * The demo's view in text: a table to draw over, or a plain line a device.
 */
import type { DemoDeviceView, DemoView } from "../demo/view.ts";
import { formatDuration, formatTable } from "../output.ts";

/**
 * A table with a line of sums below it, to be drawn over: always as many lines, none wider than the terminal,
 * which would break it in two.
 */
export function formatDemoTable(view: DemoView, runningSeconds: number, columns: number): string {
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
  return `${table}\n${formatSums(view, runningSeconds)}`
    .split("\n")
    .map((line) => line.slice(0, columns))
    .join("\n");
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
