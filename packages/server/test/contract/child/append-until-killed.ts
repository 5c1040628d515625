/** Appends for ever and writes the id of each message to standard output (a pipe: written before the call returns) once it is answered durable. */
import { openSqliteBackbone } from "../../../src/backbone/sqlite/index.ts";
import { systemClock, systemRandom, systemTimers } from "../../../src/host/system-ports.ts";
import { gauges, message } from "../backbone.contract.ts";

const folder = process.argv[2] ?? "";
const backbone = await openSqliteBackbone({
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  folder,
  partitions: 2,
});
await backbone.createSubscription({ id: "app", registry: gauges, leaseSeconds: 60 }, "earliest");

let next = 0;
function appendOne(): void {
  const label = `${next}`;
  next += 1;
  backbone.append(message(`gauge-${next % 20}`, label, { publishMs: Date.now() }), (outcome) => {
    if (outcome.kind === "durable") process.stdout.write(`${label} ${outcome.messageId}\n`);
    appendOne();
  });
}
for (let n = 0; n < 200; n += 1) appendOne();
