/**
 * `npm run bench:renewals-500x50`: 500 devices renew 50 times each against `mayfly serve` over TLS, and what is lost
 * of their messages and commands is counted.
 *
 * Half renews by AUTH (MQTT 5), half by handover (3.1.1, Session kept). Each renewal has an event and a command at the
 * moment it begins, and an event within the 100 ms after it. The program fails when anything acknowledged is missing,
 * a command that the bridge called delivered was not handled, or a session has no owner.
 *
 *   npm run bench:renewals-500x50 [-- --devices 500] [--renewals 50] [--every-millis 5200]
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BridgeProcess, location, project, registry } from "../test/process/bridge-process.ts";
import { Fleet, manyAtOnce } from "../test/process/fleet.ts";
import { type Ledger, RenewingDevice } from "./renewing-device.ts";

const { values: flags } = parseArgs({
  options: {
    devices: { type: "string", default: "500" },
    renewals: { type: "string", default: "50" },
    // A session's next token is verified every 5 s at most.
    "every-millis": { type: "string", default: "5200" },
  },
});
const count = Number(flags.devices);
const renewals = Number(flags.renewals);
const everyMillis = Number(flags["every-millis"]);
/** How long what is under way at the end may take. */
const settleMillisMax = 10_000;
const subscription = { project, subscription: "renewals" };

const ledger: Ledger = { acknowledged: new Set(), handled: new Map(), longestWaitMillis: 0 };
const published: string[] = [];
const delivered: string[] = [];
const refusals = new Map<string, number>();
const commands: Promise<void>[] = [];
let longestRenewalMillis = 0;

const bridge = new BridgeProcess();
let fleet: Fleet | undefined;
let devices: readonly RenewingDevice[] = [];
try {
  await bridge.start([], ["--log-level", "error"]);
  await bridge.createRegistry();
  fleet = new Fleet(bridge);
  const { admin } = fleet;
  const name = `projects/${project}/locations/${location}/registries/${registry}`;
  await admin.createSubscription(subscription, { registry: name, ackDeadlineSeconds: 600, from: "earliest" });
  const endpoint = { port: bridge.port, ca: readFileSync(bridge.endpoints.ca, "utf8") };
  devices = (await fleet.register(count)).map(
    (device, index) =>
      new RenewingDevice(index % 2 === 0 ? "reauthentication" : "handover", device, endpoint, ledger),
  );
  await manyAtOnce(devices, 16, (device) => device.open());
  process.stderr.write(`${count} devices are connected\n`);

  await Promise.all(devices.map((device, index) => renewAll(device, (index / count) * everyMillis, admin)));
  await Promise.all(commands);
  await settle();
  const sessions = (await fleet.gauges()).get("mayfly_sessions");
  report(await pullAll(admin), sessions);
} finally {
  for (const device of devices) device.close();
  fleet?.close();
  await bridge.end();
}

async function renewAll(device: RenewingDevice, offsetMillis: number, admin: Fleet["admin"]): Promise<void> {
  // The first token is older than the pause too.
  await delay(everyMillis + offsetMillis);
  for (let round = 0; round < renewals; round += 1) {
    const startMillis = performance.now();
    const label = `${device.device.id} ${round}`;
    publish(device, `${label} at once`);
    commands.push(command(device, label, admin));
    const after = delay((round * 37) % 100).then(() => publish(device, `${label} within`));
    await device.renew();
    longestRenewalMillis = Math.max(longestRenewalMillis, performance.now() - startMillis);
    await after;
    await delay(Math.max(0, startMillis + everyMillis - performance.now()));
  }
}

function publish(device: RenewingDevice, text: string): void {
  published.push(text);
  device.publish(text);
}

/** Answered without an error: the device's, or kept for it. */
async function command(device: RenewingDevice, text: string, admin: Fleet["admin"]): Promise<void> {
  try {
    await admin.sendCommand(device.device.path, Buffer.from(text));
    delivered.push(text);
  } catch (error) {
    const because = error instanceof Error ? error.message : "unknown";
    refusals.set(because, (refusals.get(because) ?? 0) + 1);
  }
}

async function settle(): Promise<void> {
  const endMillis = performance.now() + settleMillisMax;
  while (performance.now() < endMillis && devices.some(({ unacknowledged }) => unacknowledged > 0)) {
    await delay(50);
  }
}

async function pullAll(admin: Fleet["admin"]): Promise<readonly string[]> {
  const texts: string[] = [];
  for (;;) {
    const batch = await admin.pull(subscription, { maxMessages: 1_000, waitSeconds: 1 });
    if (batch.length === 0) return texts;
    for (const { message } of batch) texts.push(Buffer.from(message.data ?? "", "base64").toString());
    await admin.acknowledge(
      subscription,
      batch.map(({ ackId }) => ackId),
    );
  }
}

function report(pulled: readonly string[], sessions: number | undefined): void {
  const found = new Set(pulled);
  const missing = [...ledger.acknowledged].filter((text) => !found.has(text)).length;
  const unhandled = delivered.filter((text) => !ledger.handled.has(text)).length;
  const total = (way: RenewingDevice["way"], of: "renewals" | "connects") =>
    devices.reduce((sum, device) => sum + (device.way === way ? device[of] : 0), 0);
  const twice = [...ledger.handled.values()].filter((times) => times > 1).length;
  process.stdout.write(`
${availableParallelism()} cores, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}

| what | count |
|---|---|
| renewals by AUTH; CONNECTs of these devices | ${total("reauthentication", "renewals")}; ${total("reauthentication", "connects")} |
| renewals by handover; CONNECTs of these devices | ${total("handover", "renewals")}; ${total("handover", "connects")} |
| events published, acknowledged | ${published.length}, ${ledger.acknowledged.size} |
| events pulled, of these again | ${pulled.length}, ${pulled.length - found.size} |
| **acknowledged and missing** | **${missing}** |
| commands sent, answered delivered or queued | ${commands.length}, ${delivered.length} |
| commands handled, of these twice | ${ledger.handled.size}, ${twice} |
| **delivered or queued and missing** | **${unhandled}** |
| longest wait of a message for its PUBACK | ${ledger.longestWaitMillis.toFixed(0)} ms |
| longest renewal | ${longestRenewalMillis.toFixed(0)} ms |
| sessions at the end | ${sessions} |
`);
  for (const [because, times] of refusals)
    process.stdout.write(`${times} commands were refused: ${because}\n`);
  const isWhole = missing === 0 && unhandled === 0 && sessions === count;
  if (!isWhole || ledger.acknowledged.size !== published.length) process.exitCode = 1;
}
