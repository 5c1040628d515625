/**
 * What a run of the benchmark says: medians, ratios, and the goals, the missed ones first.
 *
 * Goals are ratios between rows of the same run. A goal is judged on CPU per operation of the server.
 */

export interface Sample {
  readonly server: string;
  readonly what: string;
  /** User + system microseconds of the server per operation. */
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly failed: number;
  readonly p50Millis?: number;
  readonly p99Millis?: number;
  readonly bytesEach?: number;
}

export interface Judged {
  readonly goal: string;
  readonly met: boolean;
  readonly measured: string;
}

const ours = "Mayfly, durable";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Goals of the performance page that this run can judge; a row that is missing from the run judges nothing. */
export function judgeGoals(samples: readonly Sample[]): readonly Judged[] {
  const cpu = (what: string, server: string) => figure(samples, what, server, (sample) => sample.cpuMicros);
  const judged: Judged[] = [];
  const ratio = (goal: string, value: number, met: (ratio: number) => boolean) => {
    if (Number.isFinite(value)) judged.push({ goal, met: met(value), measured: `${value.toFixed(2)} ×` });
  };
  ratio(
    "connect + JWT, TLS 1.3 full: CPU ≤ 1.1 × bare Node with the same codec",
    cpu("connect", ours) / cpu("connect", "bare Node, from memory"),
    (r) => r <= 1.1,
  );
  ratio(
    "connect + JWT, TLS 1.3 full: ≥ 1.5 × cheaper than Aedes + jose",
    cpu("connect", "Aedes + jose, from memory") / cpu("connect", ours),
    (r) => r >= 1.5,
  );
  for (const [what, name] of [
    ["window16", "pipelined (window 16)"],
    ["window1", "window 1"],
  ] as const) {
    ratio(
      `QoS 1 publish, ${name}: ≥ 0.7 × bare Node with the same sink`,
      cpu(what, "bare Node, same sink") / cpu(what, ours),
      (r) => r >= 0.7,
    );
    ratio(
      `QoS 1 publish, ${name}: ahead of Aedes from memory`,
      cpu(what, "Aedes + jose, from memory") / cpu(what, ours),
      (r) => r > 1,
    );
    ratio(
      `QoS 1 publish, ${name}: level with Mosquitto from memory`,
      cpu(what, "Mosquitto, from memory") / cpu(what, ours),
      (r) => r >= 1,
    );
  }
  const p99 = (server: string) =>
    figure(samples, "paced", server, (sample) => sample.p99Millis ?? Number.NaN);
  const late = p99(ours) - p99("bare Node, same sink");
  if (Number.isFinite(late)) {
    judged.push({
      goal: "ack p99 at 2,000/s: ≤ bare Node with the same sink + 2 ms",
      met: late <= 2,
      measured: `${late >= 0 ? "+" : ""}${late.toFixed(2)} ms`,
    });
  }
  const bytes = (server: string) =>
    figure(samples, "memory", server, (sample) => sample.bytesEach ?? Number.NaN);
  const extra = (bytes(ours) - bytes("bare Node, from memory")) / 1024;
  if (Number.isFinite(extra)) {
    judged.push({
      goal: "memory per idle TLS connection: bare Node + 4 KiB",
      met: extra <= 4,
      measured: `${extra >= 0 ? "+" : ""}${extra.toFixed(1)} KiB`,
    });
  }
  return judged.sort((a, b) => Number(a.met) - Number(b.met));
}

export function printReport(
  samples: readonly Sample[],
  facts: { readonly machine: string; readonly rounds: number; readonly certificate: string },
): void {
  const out: string[] = [
    "",
    `${facts.machine}; certificate ${facts.certificate}; medians of ${facts.rounds} rounds`,
    "",
  ];
  for (const { goal, met, measured } of judgeGoals(samples))
    out.push(`- ${met ? "met" : "**missed**"}: ${goal} (${measured})`);
  out.push(
    "",
    "| what | server | CPU us/op | min to max | per core/s | wall/s | p50 ms | p99 ms | failed |",
    "|---|---|---|---|---|---|---|---|---|",
  );
  for (const what of new Set(samples.map((sample) => sample.what))) {
    for (const server of new Set(
      samples.filter((sample) => sample.what === what).map((sample) => sample.server),
    )) {
      const rows = samples.filter((sample) => sample.what === what && sample.server === server);
      if (what === "memory") {
        out.push(
          `| memory, idle TLS connection | ${server} | | | | ${((rows[0]?.bytesEach ?? 0) / 1024).toFixed(1)} KiB | | | |`,
        );
        continue;
      }
      const cpus = rows.map((row) => row.cpuMicros);
      const of = (pick: (sample: Sample) => number | undefined) =>
        median(rows.map((row) => pick(row) ?? Number.NaN));
      out.push(
        `| ${what} | ${server} | ${median(cpus).toFixed(1)} | ${Math.min(...cpus).toFixed(1)} to ${Math.max(...cpus).toFixed(1)} | ${Math.round(1e6 / median(cpus))} | ${Math.round(of((row) => row.perSecond))} | ${of((row) => row.p50Millis).toFixed(2)} | ${of((row) => row.p99Millis).toFixed(2)} | ${rows.reduce((sum, row) => sum + row.failed, 0)} |`,
      );
    }
  }
  process.stdout.write(`${out.join("\n")}\n`);
}

function figure(
  samples: readonly Sample[],
  what: string,
  server: string,
  pick: (sample: Sample) => number,
): number {
  return median(samples.filter((sample) => sample.what === what && sample.server === server).map(pick));
}
