/**
 * `npm run bench:agent-soak`: three devices publish through token after token, and what is lost or doubled is counted.
 *
 * One speaks MQTT 5, one MQTT 3.1.1 with the payload envelope, one MQTT 3.1.1 plain; each is a process of its own that
 * reaches `mayfly serve` through a plain TCP relay, which counts the TLS handshakes it carries. The consumer is
 * `mayfly`'s own pull API. The program fails when an acknowledged message is missing, when one of MQTT 5 came twice,
 * or one in an envelope came twice under one id after the consumer dropped repetitions.
 *
 *   npm run bench:agent-soak [-- --minutes 30] [--lifetime 60] [--per-second 20]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BridgeProcess, location, project, registry } from "../test/process/bridge-process.ts";
import { Fleet } from "../test/process/fleet.ts";
import { readDelivery } from "./agent-soak-delivery.ts";
import type { SoakFindings, SoakOrder } from "./agent-soak-order.ts";

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    lifetime: { type: "string", default: "60" },
    "per-second": { type: "string", default: "20" },
  },
});
const subscription = { project, subscription: "soak" };
const devices = [
  { device: "five", mqtt: 5, isEnveloped: false },
  { device: "three-enveloped", mqtt: 4, isEnveloped: true },
  { device: "three-plain", mqtt: 4, isEnveloped: false },
] as const;

const bridge = new BridgeProcess();
const relays: Relay[] = [];
const children: ChildProcess[] = [];
let fleet: Fleet | undefined;
try {
  await bridge.start([], ["--log-level", "error"]);
  await bridge.createRegistry();
  fleet = new Fleet(bridge);
  const { admin } = fleet;
  const name = `projects/${project}/locations/${location}/registries/${registry}`;
  await admin.createSubscription(subscription, { registry: name, ackDeadlineSeconds: 600, from: "earliest" });

  const endMillis = performance.now() + Number(flags.minutes) * 60_000;
  const delivered = new Map<string, string[]>(devices.map(({ device }) => [device, []]));
  const runs: Promise<SoakFindings>[] = [];
  for (const { device, mqtt, isEnveloped } of devices) {
    const key = await bridge.createDevice(device);
    const relay = await openRelay(bridge.port);
    relays.push(relay);
    runs.push(
      runDevice({
        name: { project, location, registry, device },
        port: relay.port,
        ca: bridge.endpoints.ca,
        key,
        mqtt,
        isEnveloped,
        lifetimeSeconds: Number(flags.lifetime),
        perSecond: Number(flags["per-second"]),
      }),
    );
  }
  while (performance.now() < endMillis) {
    await take(admin, delivered, 1);
    await delay(200);
  }
  for (const child of children) child.stdin?.end();
  const findings = await Promise.all(runs);
  while ((await take(admin, delivered, 2)) > 0);
  report(findings, delivered);
} finally {
  for (const child of children) child.kill("SIGKILL");
  for (const relay of relays) relay.close();
  fleet?.close();
  await bridge.end();
}

async function runDevice(order: SoakOrder): Promise<SoakFindings> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "agent-soak-device.ts"), JSON.stringify(order)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(child);
  let text = "";
  child.stdout.on("data", (bytes) => {
    text += String(bytes);
  });
  await once(child, "close");
  return JSON.parse(text) as SoakFindings;
}

/** Pulls what there is. @returns How many messages that was. */
async function take(
  admin: Fleet["admin"],
  delivered: ReadonlyMap<string, string[]>,
  waitSeconds: number,
): Promise<number> {
  const batch = await admin.pull(subscription, { maxMessages: 1_000, waitSeconds });
  if (batch.length === 0) return 0;
  for (const { message } of batch) {
    const { device, text } = readDelivery(message);
    delivered.get(device)?.push(text);
  }
  await admin.acknowledge(
    subscription,
    batch.map(({ ackId }) => ackId),
  );
  return batch.length;
}

interface Relay {
  readonly port: number;
  /** Connections over which a ClientHello went (TLS record type 22, handshake type 1). */
  readonly handshakes: number;
  close(): void;
}

async function openRelay(targetPort: number): Promise<Relay> {
  let handshakes = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((from) => {
    const to = connect(targetPort, "localhost");
    sockets.add(from).add(to);
    from.once("data", (bytes) => {
      if (typeof bytes !== "string" && bytes[0] === 22 && bytes[5] === 1) handshakes += 1;
    });
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get handshakes() {
      return handshakes;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function report(findings: readonly SoakFindings[], delivered: ReadonlyMap<string, readonly string[]>): void {
  const columns = devices.map(({ device, mqtt, isEnveloped }, i) => {
    const found = findings[i];
    const texts = delivered.get(device) ?? [];
    if (found === undefined) throw new Error(`${device} said nothing`);
    const distinct = new Set(texts).size;
    const { renewalsBy } = found;
    return {
      isBroken: found.acknowledged > distinct || (mqtt === 5 && texts.length > distinct),
      cells: [
        `${mqtt === 5 ? "5.0" : "3.1.1"}${isEnveloped ? ", envelope" : ""}`,
        found.published,
        found.acknowledged,
        texts.length,
        Math.max(0, found.acknowledged - distinct),
        texts.length - distinct,
        `${renewalsBy.reauthentication}, ${renewalsBy.handover}, ${renewalsBy.reconnect}`,
        found.connects,
        relays[i]?.handshakes ?? 0,
        found.resent,
        found.refusals,
        found.longestAtRenewalMillis.toFixed(1),
        found.longestOtherwiseMillis.toFixed(1),
        found.credentialGapMillis.toFixed(1),
      ],
    };
  });
  const rows = [
    "MQTT",
    "published",
    "acknowledged",
    "delivered to the application",
    "**acknowledged and missing**",
    "delivered twice",
    "renewals by AUTH, handover, reconnect",
    "CONNECTs accepted",
    "TLS handshakes",
    "sent again",
    "refusals",
    "longest time between two acknowledgements around a renewal, ms",
    "the same otherwise, ms",
    "longest wait because of a credential, as the agent counts it, ms",
  ].map((title, row) => `| ${[title, ...columns.map(({ cells }) => cells[row])].join(" | ")} |`);
  process.stdout.write(
    `\n${availableParallelism()} cores, Node ${process.versions.node}; ${flags.minutes} min, tokens of ${flags.lifetime} s, ${flags["per-second"]} messages/s each\n\n` +
      `${rows[0]}\n|---|---|---|---|\n${rows.slice(1).join("\n")}\n`,
  );
  if (columns.some(({ isBroken }) => isBroken)) process.exitCode = 1;
}
