/** Opens a registry file beside its server, blocks a device, leaves an admin token, and goes. */
import { systemClock, systemRandom, systemTimers } from "../../../src/host/system-ports.ts";
import { openSqliteRegistryStore } from "../../../src/store/sqlite/index.ts";
import { deviceRef } from "../registry-store.contract.ts";

const store = await openSqliteRegistryStore({
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  file: process.argv[2] ?? "",
  exclusive: "tool",
});
await store.addAdminToken({ hash: "ab".repeat(32), name: "host", loopbackOnly: true, createdMs: 1 });
await store.updateDevice(deviceRef("gauge-1"), { blocked: true });
await store.close();
