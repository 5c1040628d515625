/**
 * Deadlines without mercy, in the thousands: listeners that never say a word are cut when their token ends, live
 * sessions when their key is revoked, and nothing of them stays behind in the bridge.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";
import { BridgeProcess } from "./bridge-process.ts";
import { Fleet, type FleetDevice, manyAtOnce, signToken } from "./fleet.ts";
import {
  type Cut,
  connectPacket,
  type ProtocolVersion,
  packetType,
  RawConnection,
  subscribePacket,
} from "./raw-mqtt.ts";

const listenerCount = 2_000;
const revokedCount = 1_000;
/** The listeners' tokens end in this many different seconds. */
const deadlineSpreadSeconds = 12;
/** Connected beforehand, to see how long this machine takes for so many. */
const rehearsalCount = 200;
/** Handshakes under way: two cores share them with the bridge. */
const connectsAtOnce = 32;
/** Revocations under way. */
const revocationsAtOnce = 8;
const accuracyMillis = 1_000;
const notAuthorized = 0x87;
const administrativeAction = 0x98;

const bridge = new BridgeProcess();
let fleet: Fleet;
let devices: readonly FleetDevice[];

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
  fleet = new Fleet(bridge);
  devices = await fleet.register(listenerCount);
});
after(async () => {
  fleet?.close();
  await bridge.end();
});

interface Listener {
  readonly device: FleetDevice;
  readonly version: ProtocolVersion;
  readonly exp: number;
  readonly connection: RawConnection;
}

/** Connects and subscribes to commands; every other device speaks 3.1.1. Then it is silent. */
async function listen(device: FleetDevice, index: number, ca: string, exp: number): Promise<Listener> {
  const version = index % 2 === 0 ? 5 : 4;
  const token = signToken(device, { iat: Math.floor(Date.now() / 1000), exp });
  const socket = connect({ host: "localhost", port: bridge.port, servername: "localhost", ca });
  const connection = new RawConnection(socket);
  const connack = await connection.ask(
    connectPacket({ version, clientIdentifier: device.clientIdentifier, userName: "unused", token }),
    packetType.connack,
  );
  assert.equal(connack[1], 0);
  await connection.ask(subscribePacket(version, `/devices/${device.id}/commands/#`), packetType.suback);
  return { device, version, exp, connection };
}

/** How long this machine takes to connect all listeners, and half as much again. */
async function rehearse(ca: string): Promise<number> {
  const exp = Math.ceil(Date.now() / 1000) + 3600;
  const startMillis = performance.now();
  const some = devices.slice(0, rehearsalCount);
  const listeners = await manyAtOnce(some, connectsAtOnce, (device, index) => listen(device, index, ca, exp));
  const millis = performance.now() - startMillis;
  for (const { connection } of listeners) connection.destroy();
  return Math.ceil((1.5 * millis * listenerCount) / rehearsalCount / 1000);
}

/** The gauges of what the bridge holds; of health and of clocks 0 says nothing. */
async function findHeld(): Promise<Readonly<Record<string, number>>> {
  const gauges = [...(await fleet.gauges())];
  return Object.fromEntries(
    gauges.filter(([name, value]) => !/_(healthy|seconds)$/.test(name) && value !== 0),
  );
}

/** The last socket is closed a moment after its peer heard of it, and the last facts are written: asks for at most 5 s. */
async function heldInTheEnd(): Promise<Readonly<Record<string, number>>> {
  for (let tries = 0; tries < 25; tries += 1) {
    if (Object.keys(await findHeld()).length === 0) return {};
    await delay(200);
  }
  return findHeld();
}

function assertReasons(listeners: readonly Listener[], cuts: readonly Cut[], reasonCode: number): void {
  const expected = listeners.map(({ version }) => (version === 5 ? reasonCode : undefined));
  assert.deepEqual(
    cuts.map((cut) => cut.reasonCode),
    expected,
  );
}

test("2,000 silent listeners are each cut within a second of their own deadline, and nothing of them stays", async (t) => {
  const ca = readFileSync(bridge.endpoints.ca, "utf8");
  const connectingSeconds = await rehearse(ca);
  const firstExp = Math.ceil(Date.now() / 1000) + connectingSeconds;
  const expOf = (index: number) => firstExp + (index % deadlineSpreadSeconds);
  const listeners = await manyAtOnce(devices, connectsAtOnce, (device, index) =>
    listen(device, index, ca, expOf(index)),
  );
  const spareMillis = firstExp * 1000 - Date.now();
  assert.ok(spareMillis > 0, `connecting them all took ${-spareMillis} ms longer than in the rehearsal`);
  const sessions = (await fleet.gauges()).get("mayfly_sessions");

  const cuts = await Promise.all(listeners.map(({ connection }) => connection.cut));

  const late = cuts.map(({ atMillis }, index) => atMillis - expOf(index) * 1000);
  t.diagnostic(`${connectingSeconds} s to connect, ${spareMillis} ms of them to spare`);
  t.diagnostic(`cut ${Math.min(...late)} to ${Math.max(...late)} ms after exp`);
  assert.equal(sessions, listenerCount);
  assert.ok(
    Math.max(...late.map(Math.abs)) <= accuracyMillis,
    `${Math.min(...late)} to ${Math.max(...late)} ms`,
  );
  assertReasons(listeners, cuts, notAuthorized);
  assert.deepEqual(await heldInTheEnd(), {});
});

test("1,000 live sessions are each cut within a second of their key's revocation, and nothing of them stays", async (t) => {
  const ca = readFileSync(bridge.endpoints.ca, "utf8");
  const exp = Math.ceil(Date.now() / 1000) + 3600;
  const live = await manyAtOnce(devices.slice(0, revokedCount), connectsAtOnce, async (device, index) => {
    const [key] = await fleet.admin.listDeviceKeys(device.path);
    return { ...(await listen(device, index, ca, exp)), keyId: key?.keyId ?? "" };
  });
  const sessions = (await fleet.gauges()).get("mayfly_sessions");

  const revokedAt = await manyAtOnce(live, revocationsAtOnce, async ({ device, keyId }) => {
    await fleet.admin.changeDeviceKey(device.path, keyId, { state: "revoked" });
    return Date.now();
  });
  const cuts = await Promise.all(live.map(({ connection }) => connection.cut));

  const late = cuts.map(({ atMillis }, index) => atMillis - (revokedAt[index] ?? 0));
  t.diagnostic(`cut ${Math.min(...late)} to ${Math.max(...late)} ms after the answer`);
  assert.equal(sessions, revokedCount);
  assert.ok(Math.max(...late) <= accuracyMillis, `${Math.max(...late)} ms`);
  assertReasons(live, cuts, administrativeAction);
  assert.deepEqual(await heldInTheEnd(), {});
});
