/**
 * The bridge as one process: this is the one place that knows what it is made of.
 *
 * Opening goes from the inside out (folder, lock, stores, identity, bridge, listeners) and `endpoints.json` comes
 * last, so that whoever reads it finds everything there. Closing goes the other way: stop taking, let what was
 * taken become durable and be acknowledged, then close the stores.
 */
import type { Server as PlainServer } from "node:net";
import type { Server } from "node:tls";
import { formatDeviceName } from "@mayfly/core";
import { type Logger, pino } from "pino";
import { openSqliteBackbone } from "../backbone/sqlite/index.ts";
import { createAdminApi } from "../http/admin-api.ts";
import { createDeviceApi } from "../http/device-api.ts";
import type { HealthCheck } from "../http/health.ts";
import { type Bridge, createBridge } from "../mqtt/bridge.ts";
import { createPresenceTeller } from "../mqtt/presence-teller.ts";
import { rebuildPresence } from "../presence/presence-rebuild.ts";
import { createPresence, type PresenceService } from "../presence/presence-service.ts";
import { createKeyReports } from "../registry/key-offers.ts";
import type { RegistryRef } from "../registry/model.ts";
import { createPlaces } from "../registry/places.ts";
import { createRegistryService } from "../registry/service.ts";
import type { RegistryStore } from "../registry/store.ts";
import { openSqliteRegistryStore } from "../store/sqlite/index.ts";
import type { Backbone } from "../telemetry/backbone.ts";
import { createSelfClock, type SelfClock } from "../time/self-clock.ts";
import { AcceptGate } from "./accept-gate.ts";
import { ensureBootstrapToken } from "./bootstrap-token.ts";
import { checkSelfClock, logSelfClock } from "./clock-report.ts";
import { createClockSync } from "./clock-sync.ts";
import { andTell, combineObservers } from "./combine-observers.ts";
import {
  type DataFolder,
  type Endpoints,
  openDataFolder,
  removeEndpoints,
  writeEndpoints,
} from "./data-folder.ts";
import { removeDepartedRegistries } from "./departed-registries.ts";
import { keepIdentityFresh } from "./identity-renewal.ts";
import { closeListener, listen, listenApi, splitAddress, toldHost } from "./listening.ts";
import { createLogObserver } from "./log-observer.ts";
import { createMetrics } from "./metrics.ts";
import { createFurtherPort, createMqttListener } from "./mqtt-listener.ts";
import { createNodeKeyParser } from "./node-key-parser.ts";
import { createNodeKeyVerifier } from "./node-key-verifier.ts";
import { addRsaChain, openServerIdentity, readServerIdentity } from "./server-identity.ts";
import { openSignedTime } from "./signed-time.ts";
import { nodeSha256, systemClock, systemRandom, systemTimers } from "./system-ports.ts";
import { tlsOptions, turnTicketKeys } from "./tls-options.ts";
import { TlsSessionStore } from "./tls-session-store.ts";

/** Where `--ports default` listens. */
export const defaultPorts = { mqtts: 8883, deviceHttps: 8443, admin: 9443, time: 8037 } as const;
/** Network Connections at once, unless set. */
export const connectionMaxDefault = 20_000;
/** Further ports of the MQTT bridge. */
export const mqttListenMax = 8;
/** How long a drain may take before what is left is cut: the bridge's spread of 10 s and the last ones' waits. */
export const drainMillisMax = 15_000;

export interface ServerOptions {
  /** Everything the bridge keeps; made where it is missing, closed to others. */
  readonly dataFolder: string;
  /** `auto`: the system chooses free ports; `endpoints.json` tells which. */
  readonly ports: "auto" | "default";
  /** Closed list, at least one; the first is named in `endpoints.json`. */
  readonly projects: readonly string[];
  /** Closed list; absent: any location. */
  readonly locations?: readonly string[];
  /** Address the device listeners bind to; absent: all. */
  readonly deviceAddress?: string;
  /** Where the MQTT bridge listens beside its own port, at most {@link mqttListenMax}; without a host, as `deviceAddress`. */
  readonly mqttListen?: readonly ListenAddress[];
  /** UDP port of signed time; absent: as `ports` says. */
  readonly timePort?: number;
  /** `host:port` or `host` of the admin listener; absent: loopback. */
  readonly adminListen?: string;
  /** Further names clients know this bridge by, for its certificate; the first is the one `endpoints.json` tells. */
  readonly hostNames?: readonly string[];
  /** The operator's own certificate instead of one made here. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string };
  /** An RSA chain beside the certificate, for devices whose TLS stack offers ECDHE-RSA alone. */
  readonly tlsRsa?: { readonly certFile: string; readonly keyFile: string };
  readonly logLevel?: string;
  readonly connectionMax?: number;
}

/** Port 0 is any free one. */
export interface ListenAddress {
  readonly host?: string;
  readonly port: number;
}

export interface RunningServer {
  readonly endpoints: Endpoints;
  /** Drains and ends everything; afterwards the folder may be served again. Idempotent. */
  close(): Promise<void>;
}

/** @throws {StoreError} `locked` when another process serves the folder, `schema_too_new`, …; Error for a port that is taken or a file that can't be read. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const log = pino(
    { level: options.logLevel ?? "info", base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  const mqttListen = options.mqttListen ?? [];
  if (mqttListen.length > mqttListenMax) {
    throw new RangeError(`the MQTT bridge listens on ${mqttListenMax} further ports at most`);
  }
  const folder = await openDataFolder(options.dataFolder);
  const undo: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };

  try {
    // All that reads wall time reads what the bridge believes. The stores too: by a clock a year ahead retention
    // would delete what was to be kept.
    const clock = createSelfClock({
      clock: systemClock,
      timers: systemTimers,
      synchronisation: createClockSync({ clock: systemClock }),
      tell: logSelfClock(log),
    });
    undo.push(() => clock.close());
    const system = { clock, timers: systemTimers, random: systemRandom };
    const store = await openSqliteRegistryStore({ file: folder.registryFile, exclusive: "serve", ...system });
    undo.push(() => store.close());
    const backbone = await openSqliteBackbone({ folder: folder.eventsFolder, ...system });
    undo.push(() => backbone.close());
    undo.push(await applyRetention(store, backbone, options.projects));
    undo.push(
      removeDepartedRegistries({
        store,
        backbone,
        onFailure: (because) => log.error({ event: "registry_removal_failed", because }),
      }).stop,
    );
    await ensureBootstrapToken(store, folder, Date.now());

    const hostNames = [...new Set([...(options.hostNames ?? []), "localhost", "127.0.0.1", "::1"])];
    const openIdentity = async () => {
      const opened =
        options.tls === undefined
          ? await openServerIdentity({
              folder: folder.identityFolder,
              caFile: folder.caFile,
              hostNames,
              nowMs: Date.now(),
            })
          : await readServerIdentity(options.tls);
      return options.tlsRsa === undefined ? opened : addRsaChain(opened, options.tlsRsa);
    };
    const identity = await openIdentity();

    const metrics = createMetrics({ clock: systemClock });
    undo.push(() => metrics.close());
    const told = combineObservers(metrics.observer, createLogObserver(log, systemClock.monotonicMillis));
    const keyParser = createNodeKeyParser();
    const verifier = createNodeKeyVerifier();
    const service = createRegistryService({
      store,
      keyParser,
      clock,
      random: systemRandom,
      places: createPlaces({
        projects: options.projects,
        ...(options.locations === undefined ? {} : { locations: options.locations }),
      }),
    });
    const keyReports = createKeyReports({
      ...service,
      ...{ store, keyParser, verifier, clock },
      sha256: nodeSha256,
      judged: (device, verdict, key) =>
        log.info({ event: "key_offer", device: formatDeviceName(device), verdict, key }),
    });
    const presence = createPresence({ ...system, registry: store });
    const observer = andTell(told, createPresenceTeller(presence.book));
    const bridge = createBridge(
      {
        ...system,
        registry: store,
        backbone,
        verifier,
        observer,
        testimony: clock,
        keyReports,
        onStateUntold: metrics.stateUntold,
      },
      { connectionMax: options.connectionMax ?? connectionMaxDefault },
    );
    undo.push(() => presence.close());
    undo.push(() => bridge.close());
    clock.onRederive(() => bridge.rederiveDeadlines());

    const signedTime = await openSignedTime({
      ...system,
      ownClock: clock,
      keyFile: folder.timeKeyFile,
      observer: metrics.timeObserver,
      log,
    });
    undo.push(() => signedTime.close());
    metrics.watch({ bridge, presence: presence.book, store, backbone, selfClock: clock, signedTime });

    let serving = false;
    const onInternalError = internalErrorLogger(log);
    const adminApi = createAdminApi(
      {
        service,
        keyParser,
        store,
        backbone,
        bridge,
        presence,
        rates: bridge.rates,
        deviceLog: bridge.deviceLog,
        clock,
        timers: systemTimers,
        sha256: nodeSha256,
        health: {
          checks: () => healthChecks(store, backbone, clock),
          isServing: () => serving && bridge.loadLevel() !== "full",
        },
        metrics,
        onInternalError,
      },
      { tls: tlsOptions(identity) },
    );
    const deviceApi = createDeviceApi(
      {
        admission: bridge.admission,
        intake: bridge.intake,
        rates: bridge.rates,
        deviceLog: bridge.deviceLog,
        registry: store,
        clock,
        timers: systemTimers,
        observer,
        timeAnswerer: signedTime.answerer,
        onInternalError,
      },
      { tls: tlsOptions(identity) },
    );
    const sessions = new TlsSessionStore({ monotonicMillis: systemClock.monotonicMillis });
    const gate = new AcceptGate({ clock: systemClock, timers: systemTimers });
    undo.push(() => gate.close());
    const mqtt = createMqttListener({
      identity,
      bridge,
      sessions,
      gate,
      connectionsMax: options.connectionMax ?? connectionMaxDefault,
      onClientError: (code) => metrics.tlsFailed(code),
    });

    const ports =
      options.ports === "default" ? defaultPorts : { mqtts: 0, deviceHttps: 0, admin: 0, time: 0 };
    const admin = splitAddress(options.adminListen ?? "127.0.0.1", ports.admin);
    undo.push(() => closeListener(mqtt));
    const mqttPort = await listen(mqtt, ports.mqtts, options.deviceAddress);
    const furtherPorts: (ListenAddress & { readonly server: PlainServer })[] = [];
    for (const { host = options.deviceAddress, port } of mqttListen) {
      const server = createFurtherPort(mqtt);
      undo.push(() => closeListener(server));
      const bound = await listen(server, port, host);
      furtherPorts.push({ server, port: bound, ...(host === undefined ? {} : { host }) });
    }
    undo.push(() => deviceApi.close());
    const devicePort = await listenApi(deviceApi, ports.deviceHttps, options.deviceAddress ?? "::");
    const timePort = await signedTime.listen({
      port: options.timePort ?? ports.time,
      ...(options.deviceAddress === undefined ? {} : { address: options.deviceAddress }),
    });
    undo.push(() => adminApi.close());
    const adminPort = await listenApi(adminApi, admin.port, admin.host);

    const tlsServers = [mqtt, adminApi.server, deviceApi.server] as unknown as readonly Server[];
    undo.push(turnTicketKeys(tlsServers));
    undo.push(keepIdentityFresh(openIdentity, identity, tlsServers, log));

    const host = options.hostNames?.[0] ?? "localhost";
    const [project = ""] = options.projects;
    const first = await firstRegistry(store, options.projects);
    const endpoints: Endpoints = {
      mqtts: `${host}:${mqttPort}`,
      mqttsFurther: furtherPorts.map((address) => `${toldHost(address.host, host)}:${address.port}`),
      deviceHttps: `https://${host}:${devicePort}`,
      time: `${host}:${timePort}`,
      admin: `https://${toldHost(admin.host, host)}:${adminPort}`,
      ca: identity.caFile,
      adminToken: folder.adminTokenFile,
      project: first?.project ?? project,
      location: first?.location ?? options.locations?.[0] ?? "us-central1",
      registry: first?.registry ?? "",
      pid: process.pid,
    };
    await writeEndpoints(folder, endpoints);
    undo.push(nameFirstRegistry(store, folder, endpoints));
    serving = true;
    undo.push(setPresenceRight({ registry: store, presence }, options.projects, log));
    log.info({
      event: "ready",
      mqtts: endpoints.mqtts,
      mqttsFurther: endpoints.mqttsFurther,
      deviceHttps: endpoints.deviceHttps,
      time: endpoints.time,
      admin: endpoints.admin,
    });

    let closing: Promise<void> | undefined;
    const close = async () => {
      serving = false;
      log.info({ event: "draining", sessions: bridge.counts().sessions });
      await removeEndpoints(folder);
      for (const server of [mqtt, ...furtherPorts.map(({ server }) => server)]) server.close();
      await drained(bridge);
      await closeAll();
      log.info({ event: "closed" });
    };
    return {
      endpoints,
      close() {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function healthChecks(
  store: RegistryStore,
  backbone: Backbone,
  selfClock: SelfClock,
): readonly HealthCheck[] {
  return [
    { name: "registry", ...store.status() },
    { name: "backbone", ...backbone.status() },
    checkSelfClock(selfClock.status()),
  ];
}

/** Sets right what a process that was killed left on record of who is online, while the bridge serves. */
function setPresenceRight(
  { registry, presence }: { readonly registry: RegistryStore; readonly presence: PresenceService },
  projects: readonly string[],
  log: Logger,
): () => void {
  let isStopped = false;
  const rebuild = async () => {
    const ports = { registry, presence, timers: systemTimers };
    for (const project of projects) await rebuildPresence(ports, project, () => isStopped);
  };
  // Until it is done, and where it can't be, whoever asks is told right all the same.
  rebuild().catch((error: unknown) => {
    if (!isStopped) log.error({ event: "presence_rebuild_failed", because: String(error) });
  });
  return () => {
    isStopped = true;
  };
}

/** Retention follows the registries: all of them at the start, each again when it changes. */
async function applyRetention(
  store: RegistryStore,
  backbone: Backbone,
  projects: readonly string[],
): Promise<() => void> {
  for (const project of projects) {
    for await (const registry of registriesOf(store, project))
      backbone.setRetention(registry, registry.retention);
  }
  return store.onChange(({ kind, registry }) => {
    if (kind !== "registry_created" && kind !== "registry_updated") return;
    store.findRegistry(registry).then(
      (record) => {
        if (record !== undefined) backbone.setRetention(record, record.retention);
      },
      () => {}, // The store's own health tells of it; the retention in force stays.
    );
  });
}

/** A bridge that started empty tells its first registry as soon as there is one. */
function nameFirstRegistry(store: RegistryStore, folder: DataFolder, endpoints: Endpoints): () => void {
  if (endpoints.registry !== "") return () => {};
  const stop = store.onChange(({ kind, registry }) => {
    if (kind !== "registry_created") return;
    stop();
    // Best effort: the file is a convenience, and what it said before is still true.
    writeEndpoints(folder, { ...endpoints, ...registry }).catch(() => {});
  });
  return stop;
}

async function* registriesOf(store: RegistryStore, project: string) {
  let token: string | undefined;
  do {
    const page = await store.listRegistries(
      { project },
      { size: 100, ...(token === undefined ? {} : { token }) },
    );
    yield* page.items;
    token = page.nextPageToken;
  } while (token !== undefined);
}

async function firstRegistry(
  store: RegistryStore,
  projects: readonly string[],
): Promise<RegistryRef | undefined> {
  for (const project of projects) {
    const { items } = await store.listRegistries({ project }, { size: 1 });
    if (items[0] !== undefined) return items[0];
  }
  return undefined;
}

/** Waits until the bridge has let every session go, at most {@link drainMillisMax}. */
async function drained(bridge: Bridge): Promise<void> {
  bridge.drain();
  const until = performance.now() + drainMillisMax;
  while (bridge.counts().connections > 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function internalErrorLogger(log: Logger) {
  return (error: unknown, request: { readonly method: string; readonly route: string }) => {
    log.error({
      event: "internal_error",
      method: request.method,
      route: request.route,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  };
}
