/** Serves a registry file, says so, and creates devices for ever, writing each one's id once it is durable. */
import { systemClock, systemRandom, systemTimers } from "../../../src/host/system-ports.ts";
import { openSqliteRegistryStore } from "../../../src/store/sqlite/index.ts";
import { newDevice, newRegistry } from "../registry-store.contract.ts";

const file = process.argv[2] ?? "";
const store = await openSqliteRegistryStore({
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  file,
  exclusive: "serve",
});
await store.createRegistry(newRegistry());
process.stdout.write("serving\n");
for (let n = 0; ; n += 1) {
  const ids = [0, 1, 2, 3].map((k) => `gauge-${n}-${k}`);
  await Promise.all(ids.map((id) => store.createDevice(newDevice(id))));
  process.stdout.write(ids.map((id) => `${id}\n`).join(""));
}
