/**
 * The whole device in processes: the agent's service with two keys in a chip and its time from a clock chip on the same
 * bus and from the server's signature, against a real server. The bus has one host at a time; curl asks the agent.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ServiceStatus } from "../../packages/cli/src/agent-service/status-words.ts";
import { mayfly, type Running, startMayfly, temporaryFolder } from "../../packages/cli/test/mayfly.ts";
import { requireService } from "../../tools/services.ts";

interface Endpoints {
  readonly mqtts: string;
  readonly time: string;
  readonly ca: string;
  readonly project: string;
  readonly location: string;
}

interface ChipInfo {
  readonly keys: readonly { readonly slot: number; readonly keyId: string; readonly pem: string }[];
}

const isConnected = (line: string): boolean => line.includes('"event":"connected"');

/** A server that signs time, one bus with a chip and a clock chip that had stopped, and settings for a service. */
async function arrange(t: TestContext) {
  requireService(t, "curl");
  const cwd = await temporaryFolder(t);
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await mayfly(t, args, { cwd });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await run("time-key", "init", "--out", "roots");
  await run("time-key", "delegate", "--root", "roots/time-root-current.key.pem");
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  const bus = startMayfly(
    t,
    [
      ...["chip", "sim", "--socket", "bus.sock", "--real-time", "--kind", "mayfly"],
      ...["--rtc", "--rtc-oscillator-stopped"],
    ],
    { cwd },
  );
  await Promise.all([server.line(() => true), bus.line((line) => line.startsWith("ready"))]);
  await run("registry", "create", "plant");
  const { keys } = JSON.parse(await run("chip", "info", "--socket", "bus.sock", "--json")) as ChipInfo;
  const flags = [0, 2].flatMap((slot) => {
    writeFileSync(join(cwd, `${slot}.pub`), keys.find((key) => key.slot === slot)?.pem ?? "");
    return ["--public-key", `${slot}.pub:${slot}`];
  });
  await run("device", "create", "lamp", "--registry", "plant", ...flags, "--pending");

  const endpoints = JSON.parse(readFileSync(join(cwd, "mayfly-data", "endpoints.json"), "utf8")) as Endpoints;
  const peer = (text: string) => {
    const [host = "", port = ""] = text.split(":");
    return { host, port: Number(port) };
  };
  const { project, location, mqtts, ca, time } = endpoints;
  /** @param signed Whether the server's signature is a source beside the clock chip. */
  const startService = (signed: boolean): Running => {
    const settings = {
      device: `projects/${project}/locations/${location}/registries/plant/devices/lamp`,
      bridge: { ...peer(mqtts), ca },
      keys: [0, 2].map((slot) => ({ slot, socket: "bus.sock" })),
      stateFolder: "state",
      time: {
        rtc: { socket: "./bus.sock" },
        ...(signed ? { signed: { ...peer(time), pins: "roots/time-pins.pem" } } : {}),
      },
    };
    writeFileSync(join(cwd, "agent.json"), JSON.stringify(settings));
    return startMayfly(t, ["agent", "--config", "agent.json"], { cwd });
  };
  /** What curl is told by the service's socket. */
  const status = (): ServiceStatus => {
    const socket = ["--unix-socket", join(cwd, "agent.sock"), "http://agent/v1/status"];
    return JSON.parse(
      execFileSync("curl", ["--silent", "--fail", "--max-time", "10", ...socket], { encoding: "utf8" }),
    ) as ServiceStatus;
  };
  /** Patience with a bound. */
  const until = async (fits: (status: ServiceStatus) => boolean): Promise<ServiceStatus> => {
    const deadline = performance.now() + 15_000;
    for (;;) {
      const now = status();
      if (fits(now)) return now;
      assert.ok(performance.now() < deadline, JSON.stringify(now));
      await run("--version");
    }
  };
  return { cwd, run, keys, startService, until };
}

test("a service with its keys and its clock on one bus connects, switches its key, and starts again with both", {
  timeout: 60_000,
}, async (t) => {
  const { cwd, run, keys, startService, until } = await arrange(t);

  const first = startService(true);
  await first.line(isConnected);
  const synced = await until(({ clock }) => clock?.rtc?.state === "good");
  const words = await run("agent", "status", "--config", "agent.json");
  const said = await run("device", "instruct", "lamp", "--registry", "plant", "--use-slot", "2");
  const switched = await until(({ agent }) => agent.slot === 2 && agent.state === "connected");
  first.kill("SIGTERM");
  const ended = await first.ended;
  const second = startService(false);
  await second.line(isConnected);
  const held = await until(({ agent }) => agent.state === "connected");
  second.kill("SIGTERM");
  await second.ended;

  assert.deepEqual([synced.clock?.trust, synced.agent.slot], ["synced", 0]);
  assert.match(words, /^Connected\./);
  assert.match(words, /^Key {7}slot 0, /m);
  assert.match(words, /^Clock {5}synced .*from a signed time/m);
  assert.match(said, /use slot 2/);
  assert.equal(switched.agent.keyId, keys.find(({ slot }) => slot === 2)?.keyId);
  assert.equal(ended.code, 0);
  assert.deepEqual([held.agent.slot, held.clock?.trust, held.clock?.source], [2, "holdover", "rtc"]);

  await t.test("so does a device that is put together from flags", async (t) => {
    const agent = startMayfly(
      t,
      [
        ...["agent", "--device", "lamp", "--registry", "plant", "--json"],
        ...["--chip-socket", "bus.sock", "--slot", "2", "--rtc-socket", "./bus.sock"],
        ...["--time-pin", "roots/time-pins.pem"],
      ],
      { cwd },
    );

    const line = await agent.line((text) => /"state":"connected".*chip is good/.test(text));

    assert.match(line, /"slot":2/);
  });
});
