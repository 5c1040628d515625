/**
 * `mayfly demo`: the product shown by a customer of it.
 *
 * A server, five devices and their five simulated chips run as processes of their own; devices and server talk
 * TLS. This process only orders what it needs through the admin API and reads what arrives through a pull
 * subscription. It imports nothing a user's program could not, and asks the server nothing in private.
 */
import { createAdminClient } from "@mayfly/core/admin";
import type { Command } from "commander";
import { LOCATION_DEFAULT } from "../connection.ts";
import { type AgentLine, parseAgentLine } from "../demo/agent-line.ts";
import { readDeliveries } from "../demo/delivery.ts";
import { createLedger, type Ledger } from "../demo/ledger.ts";
import { type DemoDevice, type DemoKey, ensureDevice, ensureRegistry } from "../demo/prepare.ts";
import { type DemoView, viewDevice } from "../demo/view.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, outputOf, portsOption, wholeNumber } from "../flags.ts";
import { type Child, startMayfly } from "../host/child.ts";
import { openChip, readSlotKey } from "../host/chip.ts";
import { monotonicMillis, sleep, wallSeconds } from "../host/clock.ts";
import { claimDemoFolder, type DemoChip, type DemoChips, placeDemoChips } from "../host/demo-folder.ts";
import { type Endpoints, endpointsFile, readEndpointsFile, writeEndpoints } from "../host/endpoints.ts";
import { readText } from "../host/files.ts";
import { createHttpsFetch, type HttpsFetch } from "../host/https-fetch.ts";
import { randomWord } from "../host/random.ts";
import { abortAfter, anyAbort, stopSignal } from "../host/signals.ts";
import type { Output } from "../output.ts";
import { formatDemoLines, formatDemoTable, formatSums } from "./demo-table.ts";

const REGISTRY_ID = "demo";
/** Slots of the recommended configuration that sign tokens: the first is used, the others are registered in advance. */
const SIGNING_SLOTS = [0, 2, 3] as const;
/** I2C address of a chip as delivered. */
const CHIP_ADDRESS = 0x60;
const LIFETIME_SECONDS = 60;
/** First renewals: at 15 s, 20 s, 25 s, … and again from 15 s on, so that they do not fall together. */
const FIRST_RENEWAL_SECONDS = 15;
const STAGGER_SECONDS = 5;
const STAGGER_STEPS = 6;
/** An acknowledged message may take this long through the subscription before it counts as lost. */
const SETTLE_MILLIS = 5_000;
/** How long the server, and then the devices, may take to be ready. */
const READY_MILLIS_MAX = 30_000;
/** Without a terminal, how often the lines come. */
const PLAIN_REPORT_SECONDS = 5;

interface DemoFlags {
  readonly json?: true;
  readonly data?: string;
  readonly ports: "auto" | "default";
  readonly devices: number;
  readonly for?: number;
}

export function addDemoCommand(program: Command): void {
  program.addCommand(
    newCommand("demo", "start a server and devices of its own, and show renewals going on with nothing lost")
      .option(
        "--data <DIR>",
        "data folder, owner-only (default: mayfly-data/demo, or demo-2, … beside other demos)",
      )
      .addOption(portsOption("auto"))
      .option("--devices <N>", "devices, each a process", wholeNumber(1, 50), 5)
      .option(
        "--for <SECONDS>",
        "end after this long; exit 1 if a message was lost",
        wholeNumber(1, 2_000_000),
      )
      .action(demo),
  );
}

async function demo(flags: DemoFlags): Promise<void> {
  const output = outputOf(flags);
  const interrupted = stopSignal();
  const folder = await claimDemoFolder(flags.data);
  const run: DemoRun = { server: undefined, chips: [], agents: [], transport: undefined };
  try {
    await runDemo(folder.path, flags, output, interrupted, run);
  } catch (error) {
    // Whoever interrupts a start wants its end, not its error.
    if (!interrupted.aborted) throw error;
  } finally {
    run.transport?.close();
    // Devices first, then what they need: the reverse of how they were started.
    await Promise.all(run.agents.map((child) => child.stop()));
    await Promise.all(run.chips.map((child) => child.stop()));
    await run.server?.stop();
    await run.placed?.release();
    await folder.release();
  }
}

/** What has to be ended, however the demo goes. */
interface DemoRun {
  server: Child | undefined;
  readonly chips: Child[];
  readonly agents: Child[];
  placed?: DemoChips;
  transport: HttpsFetch | undefined;
}

async function runDemo(
  folder: string,
  flags: DemoFlags,
  output: Output,
  interrupted: AbortSignal,
  run: DemoRun,
): Promise<void> {
  const server = startMayfly(
    ["serve", "--data", folder, "--ports", flags.ports, "--stop-with-stdin", "--json"],
    () => {},
  );
  run.server = server;
  run.placed = await placeDemoChips(folder, flags.devices);
  const readDevices = Promise.all(run.placed.chips.map((chip) => startChip(chip, run, interrupted)));
  // Whichever of the two fails first is the one that is told.
  const [devices, endpoints] = await Promise.all([
    readDevices,
    waitForEndpoints(folder, server, interrupted),
  ]);
  const registry = {
    project: endpoints.project,
    location: endpoints.location || LOCATION_DEFAULT,
    registry: REGISTRY_ID,
  };

  const transport = createHttpsFetch(await readText(endpoints.ca));
  run.transport = transport;
  const client = createAdminClient({
    baseUrl: endpoints.admin,
    token: (await readText(endpoints.adminToken)).trim(),
    fetch: transport.fetch,
  });
  await ensureRegistry(client, registry);
  for (const device of devices) await ensureDevice(client, registry, device);
  const word = randomWord();
  const subscription = { project: registry.project, subscription: `demo-${word}` };
  const name = `projects/${registry.project}/locations/${registry.location}/registries/${registry.registry}`;
  await client.createSubscription(subscription, { registry: name, from: "latest" });
  await writeEndpoints(folder, { ...endpoints, ...registry });

  const ledger = createLedger({ settleMillis: SETTLE_MILLIS });
  const delivery = new AbortController();
  const reading = readDeliveries(
    { client, sleep },
    { subscription, run: word, stop: delivery.signal },
    (device, sequence) => ledger.delivered(device, sequence),
  );
  const fleet = startFleet(devices, { folder, word, ledger, run });
  try {
    await waitForDevices(fleet, server, interrupted);
    const ready = readyLine(endpoints, folder, devices.length);
    // With --json stdout holds nothing but the lines of the format.
    if (output.json) output.remark(ready);
    else output.sink.write(`${ready}\n`);

    const startedAt = monotonicMillis();
    const view = (): DemoView => viewFleet(fleet, ledger);
    await report(output, view, { startedAt, fleet, server, until: endOf(flags, interrupted) });

    await Promise.all(fleet.map(({ child }) => child.stop()));
    await settle(ledger);
    const last = view();
    // The final word counts everything that was promised, without waiting for it to be old enough.
    const lost = ledger.undelivered();
    output.result(last, () => `ended after ${formatSums(last, (monotonicMillis() - startedAt) / 1000)}`);
    if (lost > 0)
      throw new CommandFailure("messages_lost", `${lost} acknowledged messages were not delivered`);
    await client.deleteSubscription(subscription);
  } finally {
    delivery.abort();
    transport.close();
    await reading;
  }
}

/** A device of the demo, where its chip listens, and the process that is the chip. */
interface ChippedDevice extends DemoDevice {
  readonly chip: DemoChip;
  readonly chipProcess: Child;
}

/** Starts a device's chip and reads its public keys, as whoever registers a device would. */
async function startChip(chip: DemoChip, run: DemoRun, interrupted: AbortSignal): Promise<ChippedDevice> {
  let isReady = false;
  const child = startMayfly(
    [
      ...["chip", "sim", "--socket", chip.socket, "--image", chip.imageFile, "--kind", "mayfly"],
      ...["--real-time", "--stop-with-stdin", "--json"],
    ],
    () => {
      isReady = true;
    },
  );
  run.chips.push(child);
  const until = monotonicMillis() + READY_MILLIS_MAX;
  while (!isReady) {
    if (child.hasEnded() || interrupted.aborted || monotonicMillis() > until) {
      throw new CommandFailure(
        "demo_failed",
        `the chip of ${chip.id} did not start: ${child.errorText() || "it said nothing"}`,
      );
    }
    await sleep(20, interrupted);
  }
  const opened = await openChip({ kind: "socket", bus: chip.socket, address: CHIP_ADDRESS });
  try {
    const keys: DemoKey[] = [];
    for (const slot of SIGNING_SLOTS) {
      keys.push({ slot, publicPem: (await readSlotKey(opened.chip, slot)).pem });
    }
    return { id: chip.id, keys, chip, chipProcess: child };
  } finally {
    await opened.close();
  }
}

interface Member {
  readonly id: string;
  readonly child: Child;
  readonly chipProcess: Child;
  line: AgentLine | undefined;
}

function startFleet(
  devices: readonly ChippedDevice[],
  shared: { readonly folder: string; readonly word: string; readonly ledger: Ledger; readonly run: DemoRun },
): readonly Member[] {
  return devices.map((device, index) => {
    const firstRenewal = FIRST_RENEWAL_SECONDS + (index % STAGGER_STEPS) * STAGGER_SECONDS;
    const child = startMayfly(
      [
        "agent",
        ...["--endpoints", endpointsFile(shared.folder), "--device", device.id, "--run", shared.word],
        ...["--chip-socket", device.chip.socket, "--slot", String(SIGNING_SLOTS[0])],
        ...["--publish-every", "1", "--lifetime", `${LIFETIME_SECONDS}s`],
        ...["--first-renewal-after", String(firstRenewal), "--stop-with-stdin", "--json"],
      ],
      (text) => {
        const line = parseAgentLine(text);
        if (line === undefined) return;
        member.line = line;
        shared.ledger.acknowledged(device.id, line.newlyAcked, monotonicMillis());
      },
    );
    const member: Member = { id: device.id, child, chipProcess: device.chipProcess, line: undefined };
    shared.run.agents.push(child);
    return member;
  });
}

async function waitForEndpoints(folder: string, server: Child, interrupted: AbortSignal): Promise<Endpoints> {
  const until = monotonicMillis() + READY_MILLIS_MAX;
  while (!server.hasEnded() && !interrupted.aborted && monotonicMillis() < until) {
    const endpoints = await readEndpointsFile(endpointsFile(folder));
    // A file of an earlier, killed server has another pid.
    if (endpoints?.pid === server.pid && endpoints !== undefined) return endpoints;
    await sleep(50, interrupted);
  }
  throw new CommandFailure(
    "server_start",
    `the server did not start: ${server.errorText() || "it said nothing"}`,
  );
}

async function waitForDevices(
  fleet: readonly Member[],
  server: Child,
  interrupted: AbortSignal,
): Promise<void> {
  const until = monotonicMillis() + READY_MILLIS_MAX;
  while (fleet.some(({ line }) => (line?.connects ?? 0) === 0)) {
    checkAlive(fleet, server);
    if (interrupted.aborted) throw new CommandFailure("demo_failed", "interrupted");
    if (monotonicMillis() > until) {
      const late = fleet.find(({ line }) => (line?.connects ?? 0) === 0);
      throw new CommandFailure(
        "demo_failed",
        `${late?.id} did not connect within ${READY_MILLIS_MAX / 1000} s: ${late?.line?.lastRefusal ?? late?.child.errorText() ?? ""}`,
      );
    }
    await sleep(50, interrupted);
  }
}

/** A demo whose server or device has died shows nothing any more: it says so and ends. */
function checkAlive(fleet: readonly Member[], server: Child): void {
  if (server.hasEnded())
    throw new CommandFailure("demo_failed", `the server has ended: ${server.errorText()}`);
  const dead = fleet.find(({ child }) => child.hasEnded());
  if (dead !== undefined)
    throw new CommandFailure("demo_failed", `${dead.id} has ended: ${dead.child.errorText()}`);
  const chipless = fleet.find(({ chipProcess }) => chipProcess.hasEnded());
  if (chipless !== undefined) {
    const { id, chipProcess } = chipless;
    throw new CommandFailure("demo_failed", `the chip of ${id} has ended: ${chipProcess.errorText()}`);
  }
}

/** Shows the view each second until `until` fires. */
async function report(
  output: Output,
  view: () => DemoView,
  watched: {
    readonly startedAt: number;
    readonly fleet: readonly Member[];
    readonly server: Child;
    readonly until: AbortSignal;
  },
): Promise<void> {
  const isDrawn = !output.json && output.sink.isTerminal;
  let drawnLines = 0;
  for (let second = 0; !watched.until.aborted; second++) {
    checkAlive(watched.fleet, watched.server);
    const now = view();
    const running = (monotonicMillis() - watched.startedAt) / 1000;
    if (isDrawn) {
      const table = formatDemoTable(now, running, output.sink.columns);
      // Up to where the last table began, and over it.
      output.sink.write(`${drawnLines > 0 ? `\u001b[${drawnLines}A\u001b[J` : ""}${table}\n`);
      drawnLines = table.split("\n").length;
    } else if (output.json || second % PLAIN_REPORT_SECONDS === 0) {
      output.result(now, () => formatDemoLines(now));
    }
    await sleep(Math.max(0, watched.startedAt + (second + 1) * 1000 - monotonicMillis()), watched.until);
  }
}

/** Gives the subscription its settle time to deliver what was acknowledged last. */
async function settle(ledger: Ledger): Promise<void> {
  const until = monotonicMillis() + SETTLE_MILLIS;
  while (ledger.undelivered() > 0 && monotonicMillis() < until) await sleep(50);
}

function viewFleet(fleet: readonly Member[], ledger: Ledger): DemoView {
  const now = monotonicMillis();
  return {
    at: new Date(wallSeconds() * 1000).toISOString(),
    devices: fleet.map(({ id, line }) => viewDevice(id, line, ledger.lost(id, now))),
  };
}

function endOf(flags: DemoFlags, interrupted: AbortSignal): AbortSignal {
  return flags.for === undefined ? interrupted : anyAbort(interrupted, abortAfter(flags.for * 1000));
}

function readyLine(endpoints: Endpoints, folder: string, devices: number): string {
  return (
    `ready  ${devices} devices on mqtts ${endpoints.mqtts}, tokens of ${LIFETIME_SECONDS} s; ` +
    `look closer with: mayfly device list --data ${folder}`
  );
}
