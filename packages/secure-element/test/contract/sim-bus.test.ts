import { simBus } from "../../src/sim/sim-bus.ts";
import { testChip } from "../sim-host.ts";
import { busKeepsItsPromises } from "./i2c-bus-contract.ts";

for (const hz of [100_000, 400_000]) {
  busKeepsItsPromises(`bus in this process at ${hz} Hz`, async () => {
    const bus = simBus(testChip(), { hz });
    return { bus, time: bus, close: async () => {} };
  });
}
