/**
 * How long a durable acknowledgement takes, and what it costs: the SQLite backbone at offered rates.
 *
 * Prints one JSON line per rate: ack p50/p99/max in ms from the offered time, and CPU µs a message of the
 * whole process and of the main thread alone. Run: node packages/server/bench/backbone.bench.ts [seconds].
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteBackbone } from "../src/backbone/sqlite/index.ts";
import { systemClock, systemRandom, systemTimers } from "../src/host/system-ports.ts";

const RATES = [5_000, 20_000, 40_000];
const TICK_MILLIS = 1;
const seconds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), "mayfly-bench-"));
const registry = { project: "mayfly", location: "europe-west1", registry: "gauges", numId: "11" };
const payload = new Uint8Array(200);

for (const perSecond of RATES) {
  const ports = { clock: systemClock, timers: systemTimers, random: systemRandom };
  const backbone = await openSqliteBackbone({ ...ports, folder: join(folder, `${perSecond}`) });
  await offer(backbone, perSecond, 1);
  console.log(
    JSON.stringify({ offeredPerSecond: perSecond, ...(await offer(backbone, perSecond, seconds)) }),
  );
  await backbone.close();
}
rmSync(folder, { recursive: true });

async function offer(
  backbone: Awaited<ReturnType<typeof openSqliteBackbone>>,
  perSecond: number,
  forSeconds: number,
) {
  const total = perSecond * forSeconds;
  const latencies = new Float64Array(total);
  const cpuBefore = process.cpuUsage();
  const threadBefore = process.threadCpuUsage();
  const start = performance.now();
  let offered = 0;
  let refused = 0;
  await new Promise<void>((resolve) => {
    let answered = 0;
    const turn = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - start) * perSecond) / 1000));
      for (; offered < due; offered += 1) {
        const index = offered;
        const dueAt = start + (index * 1000) / perSecond;
        const message = {
          registry,
          deviceId: `gauge-${index % 1000}`,
          deviceNumId: "2820826361193805",
          subfolder: "temperature",
          payload,
          publishMs: Date.now(),
        };
        backbone.append(message, (outcome) => {
          if (outcome.kind === "refused") refused += 1;
          latencies[index] = performance.now() - dueAt;
          answered += 1;
          if (answered === total) resolve();
        });
      }
      if (offered === total) clearInterval(turn);
    }, TICK_MILLIS);
  });
  const elapsed = (performance.now() - start) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const thread = process.threadCpuUsage(threadBefore);
  const sorted = latencies.sort();
  const at = (share: number): number => round(sorted[Math.min(total - 1, Math.floor(total * share))] ?? 0);
  return {
    ackedPerSecond: Math.round((total - refused) / elapsed),
    refused,
    p50Millis: at(0.5),
    p99Millis: at(0.99),
    maxMillis: at(1),
    cpuMicrosPerMessage: round((cpu.user + cpu.system) / total),
    mainThreadMicrosPerMessage: round((thread.user + thread.system) / total),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
