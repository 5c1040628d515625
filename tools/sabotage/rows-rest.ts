/** Sabotages of the device as a whole: what its parts share, and what it remembers. */
import type { Sabotage } from "./table.ts";

export const restSabotages: readonly Sabotage[] = [
  {
    promise: "A device's keys and its clock chip may sit on one bus.",
    deed: "open the bus once for each chip on it",
    file: "packages/cli/src/host/shared-buses.ts",
    find: "const shared = this.#shared.get(name) ?? this.#begin(name, place);",
    replace: "const shared = this.#begin(name, place);",
    test: "test/process/agent-whole.test.ts",
    name: "a service with its keys and its clock on one bus connects",
    isSlow: true,
  },
  {
    promise: "A program is not handed the config it has again because the agent's service was started again.",
    deed: "forget with the process which config is in force",
    file: "packages/cli/src/host/agent-service.ts",
    find: "      configStore: configStoreOf(config, store),\n",
    replace: "",
    test: "packages/cli/test/agent-service.test.ts",
    name: "the config a service has is not handed over again",
    isSlow: true,
  },
  {
    promise: "A renewal that costs the only connection is told as a renewal, with its gap.",
    deed: "take the connection that a renewal has cost for one that was lost",
    file: "packages/device/src/supervisor.ts",
    find: "    if (aloneSinceMillis !== undefined) this.#standing.gap.open(aloneSinceMillis);\n",
    replace: "",
    test: "packages/sim/test/handover-and-bridge.test.ts",
    name: "where a machine has one link, a renewal costs the connection",
  },
  {
    promise: "A device that has room for a few messages in flight has no more, whatever the bridge allows.",
    deed: "take the bridge's word for the whole window",
    file: "packages/device/src/session/uplink.ts",
    find: "this.#inFlightMaximum = Math.min(this.#inFlightMaximum, limits.receiveMaximum);",
    replace: "this.#inFlightMaximum = limits.receiveMaximum;",
    test: "packages/device/src/session/session.test.ts",
    name: "a device that has room for four has four in flight",
  },
];
