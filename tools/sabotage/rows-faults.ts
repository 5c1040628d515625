/** Sabotages of what the agent says while something is wrong, and of its life without a chip. */
import type { Sabotage } from "./table.ts";

const outage = { test: "test/agent-outage.test.ts" };
const words = { test: "packages/cli/src/agent-service/status-words.test.ts" };

export const faultSabotages: readonly Sabotage[] = [
  {
    ...outage,
    promise: "In an outage the status says what is wrong.",
    deed: "write a lost connection into the log alone",
    file: "packages/device/src/supervisor.ts",
    find: "    this.#standing.fail(cause, because);\n",
    replace: "",
    name: "ten minutes without a network cost no message",
  },
  {
    ...outage,
    promise: "What is mended is said of no more.",
    deed: "go on about a failure that is over",
    file: "packages/device/src/supervisor.ts",
    find: "      this.#standing.mended();\n",
    replace: "",
    name: "ten minutes without a network cost no message",
  },
  {
    ...outage,
    promise: "A bridge that owes an answer makes the connection doubtful, and the status says so.",
    deed: "call a connection good until it is given up",
    file: "packages/device/src/session/keep-alive.ts",
    find: `  get unansweredSinceMillis(): number | undefined {
    return this.#pingMillis;`,
    replace: `  get unansweredSinceMillis(): number | undefined {
    return undefined;`,
    name: "ten minutes of silence are found out by the keep-alive",
  },
  {
    ...outage,
    promise: "A refused device is told how far its clock is off.",
    deed: "keep the bridge's time to ourselves",
    file: "packages/device/src/supervisor.ts",
    find: "this.#standing.refused(reasonCode, refusal, report, this.#supply.clockAheadSeconds(hint));",
    replace: "this.#standing.refused(reasonCode, refusal, report);",
    name: "a clock two minutes ahead of the bridge's",
  },
  {
    ...words,
    promise: "The status says in which direction a clock is off.",
    deed: "take ahead for behind",
    file: "packages/cli/src/agent-service/trouble-words.ts",
    find: "const direction = aheadSeconds > 0",
    replace: "const direction = aheadSeconds < 0",
    name: "status in words: a refusal says how far the clock is off",
  },
  {
    promise: "A service without its chip takes messages, and finds the chip when it comes.",
    deed: "look for the chip once",
    file: "packages/cli/src/host/awaited-signers.ts",
    find: "      if (!stop.signal.aborted) await ask();\n",
    replace: "",
    test: "test/process/agent-faults.test.ts",
    name: "the chip is not there at the start, comes, goes while it is needed, and comes again",
    isSlow: true,
  },
  {
    promise: "A fault of the simulated chip happens when it was ordered, and ends.",
    deed: "let a fault go on for ever",
    file: "packages/secure-element/src/sim/faults.ts",
    find: "return count >= when.from && count <= when.until;",
    replace: "return count >= when.from;",
    test: "packages/secure-element/src/sim/faults.test.ts",
    name: "a fault with a span happens at those opportunities",
  },
];
