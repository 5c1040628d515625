/**
 * The agent as a service: its settings in, a running device with a local API out.
 *
 * The one place that knows what this machine is made of: which file or chip signs, where the state lies, who is told
 * that the service is ready. It starts whole or not at all; told to end, it ends within seconds, and what is not
 * acknowledged is on the disk.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { formatDeviceName } from "@mayfly/core";
import {
  type Agent,
  type AgentOptions,
  type AgentSigner,
  createAgent,
  createDeviceKeys,
  type KeyChoice,
  type OutboxStore,
  type SmallStore,
  type TimeEvent,
} from "@mayfly/device";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { createAgentMetrics } from "../agent-service/agent-metrics.ts";
import { CommandDesk } from "../agent-service/command-desk.ts";
import { ConfigShelf, type ShelvedConfig } from "../agent-service/config-shelf.ts";
import { EventLog } from "../agent-service/event-log.ts";
import { createLocalApi } from "../agent-service/local-api.ts";
import type { AgentServiceSettings, TimeSettings } from "../agent-service/settings.ts";
import { describeStatus, type ServiceStatus } from "../agent-service/status-words.ts";
import { CommandFailure } from "../failure.ts";
import type { OpenTime } from "./agent-time.ts";
import { monotonicMillis, sleep } from "./clock.ts";
import { readBytesIfThere, readText, writeSecret } from "./files.ts";
import { openServiceKeys, type ServiceKeys } from "./service-keys.ts";
import { type BusPlace, SharedBuses } from "./shared-buses.ts";
import { createSystemdNotifier } from "./systemd-notify.ts";

/** How long a service that was told to end waits for what is on its way. */
const drainMillisMax = 3_000;
/** How often a service nobody watches refreshes its line for people. */
const statusMillis = 30_000;
const configFile = "config.bin";

type Closers = (() => void | Promise<void>)[];

/** Runs until `stop` fires. @throws {CommandFailure} (rejects) It cannot start; its sentence says why. */
export async function runAgentService(settings: AgentServiceSettings, stop: AbortSignal): Promise<void> {
  // What was opened is closed in the other order, however far the start came: a chip's bus or a socket left open would
  // keep the process.
  const closers: Closers = [];
  try {
    await serve(settings, stop, closers);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function serve(settings: AgentServiceSettings, stop: AbortSignal, closers: Closers): Promise<void> {
  const node = await import("@mayfly/device/node");
  const log = pino({ level: settings.logLevel, base: null });
  const startedMillis = monotonicMillis();
  const events = new EventLog((level, facts) => log[level](facts), monotonicMillis);

  mkdirSync(settings.stateFolder, { recursive: true, mode: 0o700 });
  const buses = new SharedBuses(clockChipOf(settings.time));
  const keys = await openServiceKeys(settings, buses, ({ kind, ...facts }) =>
    log[kind === "chip_missing" ? "error" : "info"]({ event: kind, ...facts }),
  );
  closers.push(() => keys.close());
  const caPem = await readText(settings.bridge.ca);

  const commands = new CommandDesk(node.nodeTimers);
  const config = await openConfigShelf(settings.stateFolder, node.nodeTimers);
  const options: AgentOptions = {
    ...settings.name,
    ...(settings.bridge.mqtt === 4 ? { protocolVersion: 4, cleanSession: false } : { protocolVersion: 5 }),
    bridge: `${settings.bridge.host}:${settings.bridge.port}`,
    lifetimeSeconds: settings.lifetimeSeconds,
    lifetimeFloorSeconds: settings.lifetimeFloorSeconds,
    keepAliveSeconds: settings.bridge.keepAliveSeconds,
    outbox: settings.outbox,
    envelope: settings.outbox.isEnveloped,
    // A command waits for a program that asks for it, and only then has its minute.
    handlerSecondsMax: 3_600,
    wire: node.nodeWire,
    slot: settings.keys[0]?.slot ?? 0,
  };
  const outbox = openOutbox(node, settings);
  closers.push(() => outbox.close());
  const store = node.openFileStore(join(settings.stateFolder, "values"));
  closers.push(() => store.close());
  let agent: Agent | undefined;
  const clock = await openTime(
    settings.time,
    () => agent !== undefined && isConnected(agent),
    (event) => events.takeTime(event),
    store,
    buses,
  );
  closers.push(() => clock?.close());
  agent = createAgent(
    {
      clock: node.nodeClock,
      timers: node.nodeTimers,
      random: node.nodeRandom,
      sha256: node.nodeSha256,
      signer: chooseKey(keys, store),
      time: clock?.time ?? node.nodeTime,
      connect: node.createTlsConnect({ ...settings.bridge, caPem }),
      store,
      configStore: configStoreOf(config, store),
      outbox,
    },
    options,
    {
      config: (payload) => config.put(payload),
      command: (payload, subfolder) => commands.offer(payload, subfolder),
    },
  );
  const running = agent;
  closers.push(() => running.stop());
  const metrics = createAgentMetrics(() => running.status(), clock && (() => clock.time.status()));
  agent.onEvent((event) => events.take(event));
  agent.onEvent((event) => metrics.take(event));

  const status = (): ServiceStatus => ({
    device: formatDeviceName(settings.name),
    bridge: `${settings.bridge.host}:${settings.bridge.port}`,
    mqtt: settings.bridge.mqtt,
    upSeconds: (monotonicMillis() - startedMillis) / 1000,
    commandsWaiting: commands.counts.waiting,
    commandsTaken: commands.counts.taken,
    agent: running.status(),
    ...(clock === undefined ? undefined : { clock: clock.time.status() }),
  });
  const api = createLocalApi({
    publish: (payload, options) => running.publish(payload, options),
    publishState: (payload) => running.publishState(payload),
    status,
    metrics: () => metrics.read(),
    commands,
    config,
    sleep,
    failed: (error) =>
      log.error({ event: "api_failed", because: error instanceof Error ? error.name : "threw" }),
  });
  await listenOnSocket(api, settings.api);
  closers.push(async () => {
    await api.close();
    rmSync(settings.api.socket, { force: true });
  });
  // Whoever waits at the API is answered before it closes.
  closers.push(() => {
    running.stop();
    commands.close();
    config.close();
  });
  const metricsListener = await listenForScrapes(settings.metrics, () => metrics.read());
  closers.push(() => metricsListener?.close());

  clock?.time.start();
  agent.start();
  log.info({ event: "started", device: formatDeviceName(settings.name), socket: settings.api.socket });
  await tellSystemd(agent, status, stop);

  log.info({ event: "ending" });
  await drain(agent);
}

/** The clock the agent keeps by itself; undefined where that is the operating system's. */
async function openTime(
  settings: TimeSettings,
  isConnected: () => boolean,
  tell: (event: TimeEvent) => void,
  store: SmallStore,
  buses: SharedBuses,
): Promise<OpenTime | undefined> {
  if (settings.kind === "machine") return undefined;
  const { openAgentTime } = await import("./agent-time.ts");
  const { ntp, signed, rtc, disciplinesAging, floorSeconds } = settings;
  return await openAgentTime(
    {
      ...(ntp.length === 0 ? undefined : { ntp }),
      ...(signed === undefined
        ? undefined
        : {
            signed: {
              server: { host: signed.host, port: signed.port },
              ...(signed.httpsPort === undefined
                ? undefined
                : { https: { host: signed.host, port: signed.httpsPort } }),
              pinFile: signed.pins,
            },
          }),
      ...(rtc === undefined ? undefined : { rtc }),
      ...(floorSeconds === undefined ? undefined : { floorSeconds }),
      agingDiscipline: disciplinesAging ? "on" : "off",
    },
    isConnected,
    tell,
    store,
    buses,
  );
}

function clockChipOf(time: TimeSettings): BusPlace | undefined {
  const rtc = time.kind === "machine" ? undefined : time.rtc;
  return rtc && { kind: rtc.bus, bus: rtc.path };
}

/** Says ready at once (an outage is no reason not to take messages), then alive, until `stop`. */
async function tellSystemd(agent: Agent, status: () => ServiceStatus, stop: AbortSignal): Promise<void> {
  const notifier = createSystemdNotifier();
  const line = (): string => describeStatus(status())[0] ?? agent.status().state;
  notifier.ready(line());
  const periodMillis = Math.min(statusMillis, (notifier.watchdogMillis ?? Number.POSITIVE_INFINITY) / 3);
  while (!stop.aborted) {
    await sleep(periodMillis, stop);
    if (!stop.aborted) notifier.alive(line());
  }
  await notifier.stopping();
}

async function drain(agent: Agent): Promise<void> {
  const until = monotonicMillis() + drainMillisMax;
  while (agent.status().queuedMessages > 0 && isConnected(agent) && monotonicMillis() < until)
    await sleep(20);
}

function isConnected(agent: Agent): boolean {
  const { state } = agent.status();
  return state === "connected" || state === "renewing";
}

function openOutbox(node: typeof import("@mayfly/device/node"), settings: AgentServiceSettings): OutboxStore {
  const folder = join(settings.stateFolder, "outbox");
  try {
    return node.openFileOutbox({ folder, bytesMax: settings.outbox.bytesMax });
  } catch (error) {
    if (error instanceof node.FileOutboxError) {
      const code = error.code === "outbox_locked" ? "in_use" : "file_unwritable";
      throw new CommandFailure(code, error.message);
    }
    throw error;
  }
}

/** One key is used for good; of several, which is in use is kept in the store. */
function chooseKey({ keys, maker }: ServiceKeys, store: SmallStore): AgentSigner | KeyChoice {
  const [first] = keys;
  if (first !== undefined && keys.length === 1) return first.signer;
  return createDeviceKeys(keys, { store, ...(maker === undefined ? undefined : { maker }) });
}

async function openConfigShelf(
  folder: string,
  timers: ConstructorParameters<typeof ConfigShelf>[0]["timers"],
): Promise<ConfigShelf> {
  const file = join(folder, configFile);
  const tagOf = (payload: Uint8Array): string =>
    createHash("sha256").update(payload).digest("hex").slice(0, 32);
  const kept = await readBytesIfThere(file);
  const last: ShelvedConfig | undefined = kept && { tag: tagOf(kept), payload: kept };
  return new ConfigShelf(
    { timers, keeper: { keep: ({ payload }) => writeSecret(file, payload) } },
    tagOf,
    last,
  );
}

/** A shelf that was emptied gets its config again, whatever is remembered of it. */
function configStoreOf(shelf: ConfigShelf, store: SmallStore): SmallStore {
  if (shelf.current !== undefined) return store;
  return { read: () => undefined, write: (key, value) => store.write(key, value) };
}

/** A socket left by a process that was killed is taken away; one that somebody answers at is not. */
async function listenOnSocket(api: FastifyInstance, where: AgentServiceSettings["api"]): Promise<void> {
  const { socket, mode } = where;
  if (existsSync(socket)) {
    if (await isAnswered(socket)) {
      throw new CommandFailure("in_use", `another agent listens at ${socket}`);
    }
    rmSync(socket, { force: true });
  }
  mkdirSync(dirname(socket), { recursive: true, mode: 0o755 });
  // Nobody may come in between the listening and the change of mode.
  const before = process.umask(0o177);
  try {
    await api.listen({ path: socket });
  } catch (error) {
    throw new CommandFailure("in_use", `cannot listen at ${socket}`, { cause: error });
  } finally {
    process.umask(before);
  }
  chmodSync(socket, mode);
}

async function isAnswered(socket: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

async function listenForScrapes(
  where: AgentServiceSettings["metrics"],
  read: () => Promise<{ readonly contentType: string; readonly text: string }>,
): Promise<FastifyInstance | undefined> {
  if (where === undefined) return undefined;
  const { createMetricsListener } = await import("../agent-service/metrics-listener.ts");
  const app = createMetricsListener(read);
  try {
    await app.listen(where);
  } catch (error) {
    throw new CommandFailure("in_use", `cannot listen at ${where.host}:${where.port}`, { cause: error });
  }
  return app;
}
