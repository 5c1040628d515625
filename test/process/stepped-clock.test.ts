/**
 * `mayfly serve` on a machine whose wall clock steps: libfaketime steps it for this one process while it runs, monotonic
 * time untouched, and MQTT.js clients watch.
 */
import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import mqtt, { type MqttClient } from "mqtt";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier, location, registry } from "./bridge-process.ts";

const bridge = new BridgeProcess();
const at = ["--location", location, "--registry", registry];
after(() => bridge.end());

/** The process's wall clock is ahead of this machine's by what this file says. */
const stepFile = join(bridge.folder, "wall-ahead");

function stepWall(aheadSeconds: number): void {
  writeFileSync(`${stepFile}.new`, `${aheadSeconds >= 0 ? "+" : ""}${aheadSeconds}\n`);
  renameSync(`${stepFile}.new`, stepFile);
}

/** Runs what follows with a wall clock that can be stepped. `$LIB` is the dynamic linker's own word (ld.so(8)). */
const steppable = [
  "env",
  "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1",
  `FAKETIME_TIMESTAMP_FILE=${stepFile}`,
  "FAKETIME_DONT_FAKE_MONOTONIC=1",
  "FAKETIME_NO_CACHE=1",
  "NO_FAKE_STAT=1",
];

async function listen(device: string, token: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
    protocolVersion: 5,
    clientId: clientIdentifier(device),
    username: "unused",
    password: token,
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
    keepalive: 0,
  });
  client.on("error", () => {});
  await client.subscribeAsync(`/devices/${device}/commands/#`, { qos: 1 });
  return client;
}

function read(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(
      `${bridge.endpoints.admin}${path}`,
      { ca: readFileSync(bridge.endpoints.ca), agent: false },
      (answer) => {
        let text = "";
        answer.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        answer.on("end", () => resolve(text));
      },
    ).on("error", reject);
  });
}

/** Waits, at most 10 s, until /metrics has the line. @returns all of them, else. */
async function waitForMetric(line: RegExp): Promise<string> {
  const untilMillis = performance.now() + 10_000;
  for (;;) {
    const text = await read("/metrics");
    if (line.test(text) || performance.now() > untilMillis) return text;
    await wait(200);
  }
}

test("a served bridge whose clock steps an hour and back cuts nobody, takes honest devices, and says so", async (t) => {
  requireService(t, "faketime");
  stepWall(0);
  await bridge.start(steppable);
  await bridge.createRegistry();
  const listeners: MqttClient[] = [];
  for (let i = 0; i < 5; i++) {
    const id = `listener-${i}`;
    listeners.push(await listen(id, await bridge.mintToken(id, await bridge.createDevice(id))));
  }
  const lateKey = await bridge.createDevice("latecomer");
  const briefToken = await bridge.mintToken("brief", await bridge.createDevice("brief"), "--lifetime", "20s");
  const [, claims = ""] = briefToken.split(".");
  const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { exp: number };
  const brief = await listen("brief", briefToken);
  let closed = 0;
  for (const client of listeners) client.on("close", () => closed++);
  const briefEnds = new Promise<number>((resolve) => brief.once("close", () => resolve(Date.now())));

  stepWall(3_600);
  const afterStep = await waitForMetric(/^mayfly_clock_self 1$/m);
  const health = JSON.parse(await read("/readyz")) as { readonly status: string; readonly checks: unknown };
  const doctor = (await bridge.run("doctor", "--json")).stdout;
  const latecomer = await listen("latecomer", await bridge.mintToken("latecomer", lateKey));
  await latecomer.publishAsync("/devices/latecomer/events", "honest", { qos: 1 });
  const publishedMs = Date.now();
  const briefLateMillis = (await briefEnds) - exp * 1000;
  stepWall(0);
  const afterReturn = await waitForMetric(/^mayfly_clock_steps_total\{believed="wall"\} 1$/m);
  await listeners[0]?.publishAsync("/devices/listener-0/events", "still here", { qos: 1 });

  assert.match(afterStep, /^mayfly_clock_self 1$/m);
  assert.match(afterStep, /^mayfly_clock_steps_total\{believed="former"\} 1$/m);
  const [, ahead = "0"] = /^mayfly_clock_wall_ahead_seconds (\S+)$/m.exec(afterStep) ?? [];
  assert.ok(Math.abs(Number(ahead) - 3_600) < 1, `ahead by ${ahead} s`);
  assert.equal(health.status, "ok");
  assert.match(
    JSON.stringify(health.checks),
    /"clock_self","healthy":true,"because":"this machine's clock is 3600 s ahead/,
  );
  assert.match(doctor, /"warn"[^}]*clock_self, this machine's clock is 3600 s ahead/);
  t.diagnostic(`cut ${briefLateMillis} ms after exp, an hour ahead on the wall`);
  assert.ok(Math.abs(briefLateMillis) <= 1_000, `cut ${briefLateMillis} ms after exp`);
  assert.match(afterReturn, /^mayfly_clock_steps_total\{believed="wall"\} 1$/m);
  const pulled = await bridge.must("pull", ...at, "--subscription", "tests", "--wait", "1", "--json");
  const honest = pulled.split("\n").find((line) => line.includes("latecomer"));
  const { publishTime } = JSON.parse(honest ?? "{}") as { readonly publishTime: string };
  const stampedLateMillis = Date.parse(publishTime) - publishedMs;
  assert.ok(Math.abs(stampedLateMillis) < 2_000, `stamped ${stampedLateMillis} ms after it was published`);
  assert.equal(closed, 0);
  await Promise.all([...listeners, latecomer].map((client) => client.endAsync()));
});
