/**
 * What a run of the renewal benchmark says: medians, ratios to re-authentication, and the goals, the missed ones first.
 */
import { median } from "./report.ts";

export type RenewalWay = "reauthentication" | "handover" | "reconnect";

export interface RenewalSample {
  /** What costs the least a renewal in a session can: a packet and its answer, and one bare verification. */
  readonly way: RenewalWay | "pingreq" | "verification";
  readonly tls: "TLSv1.2" | "TLSv1.3" | undefined;
  readonly handshake: "none" | "full" | "resumed";
  /** User + system microseconds of the bridge per renewal. */
  readonly cpuMicros: number;
  /** On TCP per renewal, both ways, TCP's and IP's own headers not counted. */
  readonly bytes: number;
}

const cpuMicrosMax = 160;
const bytesMax = 1_200;
const reconnectRatioMin = 7;

export function printRenewals(
  samples: readonly RenewalSample[],
  facts: { readonly machine: string; readonly rounds: number },
): void {
  const out = ["", `${facts.machine}; medians of ${facts.rounds} rounds`, ""];
  for (const { goal, met, measured } of judgeRenewals(samples)) {
    out.push(`- ${met ? "met" : "**missed**"}: ${goal} (${measured})`);
  }
  out.push("", "| renewal | TLS | handshake | CPU µs | min to max | bytes | CPU, re-authentication = 1 |");
  out.push("|---|---|---|---|---|---|---|");
  for (const rows of Map.groupBy(samples, ({ way, tls, handshake }) =>
    [way, tls, handshake].join(),
  ).values()) {
    const [first] = rows;
    if (first === undefined) continue;
    const cpus = rows.map((row) => row.cpuMicros);
    const ratio = median(cpus) / cpuOf(samples, "reauthentication", first.tls ?? "TLSv1.3", "none");
    const range = `${Math.min(...cpus).toFixed(0)} to ${Math.max(...cpus).toFixed(0)}`;
    const bytes = median(rows.map((row) => row.bytes)).toFixed(0);
    out.push(
      `| ${first.way} | ${first.tls?.slice(4) ?? ""} | ${first.handshake} | ${median(cpus).toFixed(0)} | ${range} | ${bytes} | ${ratio.toFixed(2)} |`,
    );
  }
  process.stdout.write(`${out.join("\n")}\n`);
}

interface Judged {
  readonly goal: string;
  readonly met: boolean;
  readonly measured: string;
}

function judgeRenewals(samples: readonly RenewalSample[]): readonly Judged[] {
  return (["TLSv1.3", "TLSv1.2"] as const)
    .flatMap((tls) => {
      const cpu = cpuOf(samples, "reauthentication", tls, "none");
      const bytes = median(select(samples, "reauthentication", tls, "none").map((row) => row.bytes));
      const ratio = cpuOf(samples, "reconnect", tls, "full") / cpu;
      return [
        {
          goal: `re-authentication, ${tls}: ≤ 0.16 ms CPU`,
          met: cpu <= cpuMicrosMax,
          measured: `${(cpu / 1000).toFixed(3)} ms`,
        },
        {
          goal: `re-authentication, ${tls}: ≤ 1.2 KB`,
          met: bytes <= bytesMax,
          measured: `${bytes.toFixed(0)} B`,
        },
        {
          goal: `re-authentication, ${tls}: ≥ 7 × less CPU than a full reconnect`,
          met: ratio >= reconnectRatioMin,
          measured: `${ratio.toFixed(1)} ×`,
        },
      ];
    })
    .sort((a, b) => Number(a.met) - Number(b.met));
}

type Key = readonly [RenewalSample["way"], RenewalSample["tls"], RenewalSample["handshake"]];

function select(samples: readonly RenewalSample[], ...[way, tls, handshake]: Key): readonly RenewalSample[] {
  return samples.filter((row) => row.way === way && row.tls === tls && row.handshake === handshake);
}

function cpuOf(samples: readonly RenewalSample[], ...key: Key): number {
  return median(select(samples, ...key).map((row) => row.cpuMicros));
}
