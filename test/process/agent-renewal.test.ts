/** Our agent's two ways of renewing, over TLS and between processes: `mayfly agent` against `mayfly serve`. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { BridgeProcess, location, mayflyMain, project, registry } from "./bridge-process.ts";

const bridge = new BridgeProcess();

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
});
after(() => bridge.end());

interface Line {
  readonly state: string;
  readonly renewal?: string;
  readonly renewals: number;
  readonly connects: number;
  readonly sent: number;
  readonly acked: number;
  readonly refused: number;
  readonly gapMs: number;
}

/** An agent that publishes ten times a second and renews its first token after 6 s. @returns its last status line once it renewed and was told to end. */
async function renewOnce(device: string, mqtt: "4" | "5"): Promise<Line> {
  const key = await bridge.createDevice(device);
  const place = `projects/${project}/locations/${location}/registries/${registry}`;
  const agent: ChildProcess = spawn(process.execPath, [
    ...[mayflyMain, "agent", "--json", "--mqtt", mqtt, "--device", device, "--key", `${key}:0`],
    ...["--endpoints", join(bridge.data, "endpoints.json"), "--registry", place],
    ...["--lifetime", "60s", "--first-renewal-after", "6", "--publish-every", "0.1"],
  ]);
  const lines: Line[] = [];
  let rest = "";
  let isToldToEnd = false;
  await new Promise<void>((resolve, reject) => {
    agent.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) lines.push(JSON.parse(part) as Line);
      // Once: a second signal would not let it end in order.
      if (isToldToEnd || !lines.some(({ renewals }) => renewals > 0)) return;
      isToldToEnd = true;
      agent.kill("SIGTERM");
    });
    let errors = "";
    agent.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    agent.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`ended with ${code}: ${errors}`))));
  });
  const last = lines.at(-1);
  assert.ok(last !== undefined);
  return last;
}

/** The bridge's own count. @param series Name and labels, as Prometheus writes them. */
async function metric(series: string): Promise<number> {
  const request = get(`${bridge.endpoints.admin}/metrics`, { ca: readFileSync(bridge.endpoints.ca) });
  const [answer] = await once(request, "response");
  const line = (await text(answer)).split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

test("an MQTT 5 agent renews within its connection: one CONNECT, no gap, nothing unacknowledged", async () => {
  const last = await renewOnce("within", "5");

  assert.deepEqual([last.renewals, last.connects, last.gapMs, last.refused], [1, 1, 0, 0]);
  assert.ok(last.sent > 50);
  assert.equal(last.acked, last.sent);
  assert.equal(await metric('mayfly_renewals_total{outcome="accepted",reason="none"}'), 1);
});

test("an MQTT 3.1.1 agent hands its Session over: a second CONNECT, nothing unacknowledged", async (t) => {
  const last = await renewOnce("over", "4");

  t.diagnostic(`gap ${last.gapMs} ms`);
  assert.deepEqual([last.renewals, last.connects, last.refused], [1, 2, 0]);
  assert.ok(last.sent > 50);
  assert.equal(last.acked, last.sent);
  assert.equal(await metric('mayfly_disconnects_total{reason="handed_over"}'), 1);
});
