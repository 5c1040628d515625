/**
 * Serves a registry file with one connected Session; queues 80 commands and then acknowledges them one by one,
 * writing `+id` and `-id` once each is durable. It is killed somewhere on the way.
 */
import { systemClock, systemRandom, systemTimers } from "../../../src/host/system-ports.ts";
import { openSqliteRegistryStore } from "../../../src/store/sqlite/index.ts";
import { key, newDevice, newRegistry } from "../registry-store.contract.ts";
import { commandOf, gauge, sessionOf } from "../session-store.contract.ts";

const store = await openSqliteRegistryStore({
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  file: process.argv[2] ?? "",
  exclusive: "serve",
});
await store.createRegistry(newRegistry());
await store.createDevice(newDevice("gauge-1", [key("a")]));
await store.saveSession(gauge, sessionOf("c1"));
for (let n = 0; n < 80; n += 4) {
  const commands = [0, 1, 2, 3].map((k) => commandOf(`n${n + k}`, { isSentNow: k % 2 === 0 }));
  const outcomes = await Promise.all(commands.map((command) => store.queueCommand(gauge, command)));
  for (const outcome of outcomes) {
    process.stdout.write(`+${outcome.kind === "queued" ? outcome.packetIdentifier : outcome.kind}\n`);
  }
}
for (let packetIdentifier = 1; packetIdentifier <= 80; packetIdentifier += 1) {
  await store.removeCommand(gauge, packetIdentifier);
  process.stdout.write(`-${packetIdentifier}\n`);
}
