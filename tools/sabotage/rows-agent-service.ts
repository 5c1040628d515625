/** Sabotages of the agent as a service: what a program on the device's machine may rely on. */
import type { Sabotage } from "./table.ts";

const desk = {
  file: "packages/cli/src/agent-service/command-desk.ts",
  test: "packages/cli/src/agent-service/command-desk.test.ts",
};
const shelf = {
  file: "packages/cli/src/agent-service/config-shelf.ts",
  test: "packages/cli/src/agent-service/config-shelf.test.ts",
};

export const agentServiceSabotages: readonly Sabotage[] = [
  {
    ...desk,
    promise: "A command that a program took and did not carry out is not acknowledged.",
    deed: "take silence for success",
    find: `        this.#taken.delete(id);
        pending.fail(new CommandNotDone("the program did not say in time what became of it"));`,
    replace: `        this.#taken.delete(id);
        pending.done();`,
    name: "a program that falls silent has failed its command",
  },
  {
    ...desk,
    promise: "A bounded number of commands waits for programs.",
    deed: "let any number of commands wait",
    find: "if (this.#waiting.length >= commandsWaitingMax) {",
    replace: "if (this.#waiting.length < 0) {",
    name: "no more than so many commands wait",
  },
  {
    ...shelf,
    promise: "A config is acknowledged only when it outlives a restart.",
    deed: "give a config out before it is kept",
    find: "    await this.#keeper.keep(config);\n    this.#config = config;",
    replace: "    this.#config = config;\n    await this.#keeper.keep(config);",
    name: "a config that cannot be kept is not given out",
  },
  {
    file: "packages/cli/src/agent-service/event-log.ts",
    test: "packages/cli/src/agent-service/event-log.test.ts",
    promise: "A failure in a loop does not fill the disk with log lines.",
    deed: "write every line",
    find: "return written < linesPerMinute;",
    replace: "return written >= 0;",
    name: "a failure in a loop fills no disk",
  },
  {
    file: "packages/cli/src/agent-service/settings.ts",
    test: "packages/cli/src/agent-service/settings.test.ts",
    promise: "A mistyped setting is refused, not ignored.",
    deed: "leave unknown settings alone",
    find: '    logLevel: all.oneOf("logLevel", logLevels, "info"),\n  };\n  all.end();',
    replace: '    logLevel: all.oneOf("logLevel", logLevels, "info"),\n  };',
    name: "a mistyped field is refused",
  },
  {
    file: "packages/cli/src/host/agent-service.ts",
    test: "packages/cli/test/agent-service.test.ts",
    promise: "Only its owner may speak for the device, from the first moment of the socket on.",
    deed: "leave the socket open to all",
    find: "  chmodSync(socket, mode);",
    replace: "  chmodSync(socket, 0o666 | mode);",
    name: "a service's day",
    isSlow: true,
  },
  {
    file: "packages/cli/src/host/agent-service.ts",
    test: "packages/cli/test/agent-service.test.ts",
    promise: "A service that cannot start ends, and leaves nothing behind.",
    deed: "leave open what was opened before the start failed",
    find: "for (const close of closers.reverse()) await close();",
    replace: "closers.length = 0;",
    name: "a service that cannot start whole ends with a sentence",
    isSlow: true,
  },
  {
    file: "packages/device/src/standing.ts",
    test: "packages/device/src/standing.test.ts",
    promise: "The status says how far the device's clock is off until a token is taken.",
    deed: "forget the clock's error at a refusal that tells no time",
    find: "this.#clockAheadSeconds = clockAheadSeconds ?? this.#clockAheadSeconds;",
    replace: "this.#clockAheadSeconds = clockAheadSeconds;",
    name: "how far the clock is off is said until a token is taken",
  },
];
