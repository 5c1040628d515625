/**
 * Presence as an operator sees it: `mosquitto_sub` is the device, it is killed, and so is the bridge; `mayfly
 * presence` watches, `mayfly device` tells.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { PresenceLine } from "@mayfly/core/admin";
import { requireService } from "../../tools/services.ts";
import {
  type BridgeProcess,
  clientIdentifier,
  location,
  mayflyMain,
  registry,
  startBridge,
} from "./bridge-process.ts";

const where = ["--location", location, "--registry", registry];

/** The stream's lines as they come, from `mayfly presence --json`. */
class Watcher {
  readonly process: ChildProcess;
  position = "";
  readonly #lines: AsyncIterator<string>;

  constructor(t: TestContext, bridge: BridgeProcess, ...flags: readonly string[]) {
    const args = [mayflyMain, "presence", "--json", ...where, "--data", bridge.data, ...flags];
    this.process = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    t.after(() => this.process.kill("SIGKILL"));
    this.#lines = createInterface({ input: this.process.stdout ?? assert.fail() })[Symbol.asyncIterator]();
  }

  async next(): Promise<PresenceLine> {
    const { value, done } = await this.#lines.next();
    assert.ok(done !== true, "the stream ended");
    const line = JSON.parse(value) as PresenceLine;
    if ("position" in line) this.position = line.position;
    return line;
  }

  /** The next change in a few words. */
  async nextChange(): Promise<string> {
    const line = await this.next();
    assert.equal(line.kind, "change");
    return line.kind === "change"
      ? `${line.change.deviceId} ${line.change.state} ${line.change.because}`
      : "";
  }
}

function subscribe(t: TestContext, bridge: BridgeProcess, device: string, token: string): ChildProcess {
  const child = spawn(
    "mosquitto_sub",
    [
      ...["-h", "localhost", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca, "-V", "mqttv311"],
      ...["-i", clientIdentifier(device), "-u", "unused", "-P", token, "-t", `/devices/${device}/config`],
    ],
    { stdio: "ignore" },
  );
  t.after(() => child.kill("SIGKILL"));
  return child;
}

interface Shown {
  readonly presence?: { readonly state: string; readonly since: string; readonly because: string };
}

async function show(bridge: BridgeProcess, device: string): Promise<Shown["presence"]> {
  return (JSON.parse(await bridge.must("device", "show", device, ...where, "--json")) as Shown).presence;
}

async function list(bridge: BridgeProcess, flag: string): Promise<readonly string[]> {
  const text = await bridge.must("device", "list", flag, ...where, "--json");
  const { devices } = JSON.parse(text) as {
    readonly devices: readonly { readonly device: { id: string } }[];
  };
  return devices.map(({ device }) => device.id);
}

/** What another process reads in the registry's file, as the next server will. */
function isOnRecordAsOnline(bridge: BridgeProcess): boolean {
  const database = new DatabaseSync(join(bridge.data, "registry.db"), { readOnly: true });
  const rows = database.prepare("SELECT activity FROM device_activity").all();
  database.close();
  return rows.some(({ activity }) => String(activity).includes('"state":"online"'));
}

test("a killed mosquitto_sub is told offline after 10 s, and a watcher that comes back learns what it missed", async (t) => {
  requireService(t, "mosquitto_sub");
  const bridge = await startBridge(t);
  const token = await bridge.mintToken("fern", await bridge.createDevice("fern"));
  await bridge.createDevice("moss");
  const watcher = new Watcher(t, bridge);
  assert.deepEqual(await watcher.next(), { kind: "snapshot", online: 0 });
  await watcher.next();

  const device = subscribe(t, bridge, "fern", token);
  const online = await watcher.nextChange();
  const second = subscribe(t, bridge, "fern", token);
  const takenOver = await watcher.nextChange();
  // mosquitto_sub connects again when it is taken over: the first is stopped before it takes its turn.
  device.kill("SIGKILL");
  const listed = [await list(bridge, "--online"), await list(bridge, "--never-online")];
  watcher.process.kill("SIGINT");
  const [code] = (await once(watcher.process, "exit")) as [number | null];
  const killedMs = Date.now();
  second.kill("SIGKILL");
  const back = new Watcher(t, bridge, "--after", watcher.position);
  let offline = await back.nextChange();
  // The first one may have had a turn before it was killed.
  while (offline.includes("ONLINE")) offline = await back.nextChange();
  const toldMs = Date.now();
  const shown = await show(bridge, "fern");

  assert.equal(online, "fern ONLINE connected");
  assert.equal(takenOver, "fern ONLINE taken_over");
  assert.deepEqual(listed, [["fern"], ["moss"]]);
  assert.equal(code, 0);
  assert.equal(offline, "fern OFFLINE link_lost");
  assert.ok(toldMs - killedMs >= 9_000, `told after ${toldMs - killedMs} ms`);
  assert.equal(shown?.because, "link_lost");
  assert.ok(Date.parse(shown?.since ?? "") - killedMs < 5_000, "since it left, not since it was told");
  assert.deepEqual(await list(bridge, "--offline"), ["fern"]);
});

test("after kill -9 of the bridge nobody stays online: offline since its start, until it connects again", async (t) => {
  requireService(t, "mosquitto_sub");
  const bridge = await startBridge(t);
  const token = await bridge.mintToken("fern", await bridge.createDevice("fern"));
  const watcher = new Watcher(t, bridge);
  await watcher.next();
  await watcher.next();
  const device = subscribe(t, bridge, "fern", token);
  await watcher.nextChange();
  // Last-seen facts are written behind. Were it not on record as online, nothing could be wrong after the kill.
  while (!isOnRecordAsOnline(bridge)) await setTimeout(100);

  await bridge.stop("SIGKILL");
  device.kill("SIGKILL");
  const restartedMs = Date.now();
  await bridge.start();
  const shown = await show(bridge, "fern");
  const later = new Watcher(t, bridge, "--after", watcher.position);
  const first = await later.next();
  await later.next();
  subscribe(t, bridge, "fern", token);
  const online = await later.nextChange();

  assert.deepEqual([shown?.state, shown?.because], ["OFFLINE", "bridge_restarted"]);
  assert.ok(Date.parse(shown?.since ?? "") >= restartedMs);
  assert.deepEqual(first, { kind: "snapshot", online: 0 });
  assert.equal(online, "fern ONLINE connected");
});
