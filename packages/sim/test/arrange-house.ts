/**
 * A house for tests: one world with the real bridge engine over memory stores, and real agents with real keys.
 *
 * Each agent and bridge event becomes a line of the log. Keys and signatures differ from run to run and are
 * in no line.
 */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { utf8Decode } from "@mayfly/core";
import { policyPresets } from "@mayfly/core/token";
import {
  type Agent,
  type AgentEvent,
  type AgentHandlers,
  type AgentOptions,
  type AgentPorts,
  type AgentSigner,
  type Connect,
  clockTime,
  createAgent,
  type TimeHint,
} from "@mayfly/device";
import {
  type BridgeObserver,
  createBridge,
  createKeyReports,
  createMemoryBackbone,
  createMemoryRegistryStore,
  createPlaces,
  createRegistryService,
  eventRetentionDefault,
  type KeyRecord,
} from "@mayfly/server";
import { createEventLog, createNetwork, createWorld, type Dialer, type World } from "@mayfly/sim";
import { createP256Verifier, p256KeyParser } from "./p256-verifier.ts";

export const registry = { project: "mayfly", location: "here", registry: "lamps" } as const;
/** As a chip needs for one signature. */
export const signMillis = 80;
/** As a few exchanges with a time server need. */
export const correctionMillis = 200;

export interface HouseOptions {
  readonly seed: string;
  readonly devices: number;
  readonly pieceBytesMax?: number;
  readonly agent?: Partial<AgentOptions> | ((id: string) => Partial<AgentOptions>);
  /** The agents' timers run this much before their time, as a real event loop's may. */
  readonly timersEarlyMillis?: number;
  readonly handlers?: AgentHandlers | ((id: string) => AgentHandlers);
  /** The agents' machines have room for one link: a second takes the first one's place. */
  readonly hasOneLink?: true;
  /** What the agent signs with, in place of its one key. */
  readonly keys?: (signer: AgentSigner, world: World) => AgentPorts["signer"];
}

export interface Tenant {
  readonly id: string;
  readonly agent: Agent;
  readonly ports: AgentPorts;
  readonly dialer: Dialer;
  readonly events: AgentEvent[];
  readonly key: KeyRecord;
  /** How the device's signer and clock behave; tests change them. */
  readonly conduct: {
    clockBecause: string | undefined;
    clockOffsetSeconds: number;
    signerIsBroken: boolean;
    /** Each time the clock was asked to correct itself, and with which hint. */
    readonly corrections: (TimeHint | undefined)[];
    /** What it does then; `undefined` for no answer at all. */
    correct: () => "corrected" | "unchanged" | undefined;
  };
}

export type House = Awaited<ReturnType<typeof arrangeHouse>>;

export async function arrangeHouse(options: HouseOptions) {
  const world = createWorld({ seed: options.seed, settlePromises: () => setImmediate() });
  const log = createEventLog(world.clock, { digest: (bytes) => createHash("sha256").update(bytes).digest() });
  const store = createMemoryRegistryStore({ clock: world.clock, random: world.random("registry") });
  const backbone = createMemoryBackbone({ clock: world.clock, timers: world.timers, commitMillis: 4 });
  const verifier = createP256Verifier();
  const sha256 = { digest: (bytes: Uint8Array) => createHash("sha256").update(bytes).digest() };
  const service = createRegistryService({
    store,
    places: createPlaces({ projects: [registry.project] }),
    keyParser: p256KeyParser,
    clock: world.clock,
    random: world.random("service"),
  });
  const openBridge = (name: string) =>
    createBridge(
      {
        clock: world.clock,
        timers: world.timers,
        random: world.random(name),
        registry: store,
        backbone,
        verifier,
        keyReports: createKeyReports({
          ...service,
          ...{ store, verifier, sha256 },
          keyParser: p256KeyParser,
          clock: world.clock,
        }),
        observer: observe((line) => log.add("bridge", line)),
      },
      {},
    );
  let bridge = openBridge("bridge");
  const network = createNetwork(world, {
    latencyMillis: { least: 5, most: 40 },
    ...(options.pieceBytesMax === undefined ? undefined : { pieceBytesMax: options.pieceBytesMax }),
  });

  const { numId } = await store.createRegistry({
    ...registry,
    policy: policyPresets.strict,
    retention: eventRetentionDefault,
    mqttEnabled: true,
    httpEnabled: true,
    logLevel: "NONE",
    eventNotificationConfigs: [],
    stateNotificationTopic: "",
    credentials: [],
  });
  await backbone.createSubscription(
    { id: "all", registry: { ...registry, numId }, leaseSeconds: 600 },
    "earliest",
  );

  const tenants: Tenant[] = [];
  for (let i = 0; i < options.devices; i++) {
    const id = `lamp-${i}`;
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = publicKey.export({ format: "der", type: "spki" });
    const key: KeyRecord = {
      keyId: "slot-0",
      slot: 0,
      state: "active",
      format: "ES256_PEM",
      pem: publicKey.export({ format: "pem", type: "spki" }).toString(),
      fingerprint: createHash("sha256").update(spki).digest("hex"),
      createdMs: 0,
    };
    await store.createDevice({
      ...registry,
      deviceId: id,
      blocked: false,
      logLevel: "NONE",
      metadata: {},
      gatewayType: "NON_GATEWAY",
      gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
      keys: [key],
    });
    const conduct: Tenant["conduct"] = {
      clockBecause: undefined,
      clockOffsetSeconds: 0,
      signerIsBroken: false,
      corrections: [],
      correct: () => "unchanged",
    };
    const dialer = network.createDialer(id, (link) => bridge.open(link, { remoteAddress: id }));
    const wall = { wallSeconds: () => world.clock.wallSeconds() + conduct.clockOffsetSeconds };
    const time = clockTime({ clock: wall, timers: world.timers });
    const signer: AgentSigner = {
      keyId: "slot-0",
      signMessage: async (message) => {
        await passMillis(world, signMillis);
        if (conduct.signerIsBroken) throw new Error("the bus hangs");
        return sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
      },
    };
    const ports: AgentPorts = {
      clock: world.clock,
      timers: {
        // Once: what is waited for again then comes in its time.
        after: (delayMillis, run) =>
          world.timers.after(delayMillis - (delayMillis > 1 ? (options.timersEarlyMillis ?? 0) : 0), run),
      },
      random: world.random(`agent/${id}`),
      sha256: { digest: (bytes) => createHash("sha256").update(bytes).digest() },
      signer: options.keys?.(signer, world) ?? signer,
      time: {
        ...time,
        readiness: () =>
          conduct.clockBecause === undefined
            ? time.readiness()
            : { kind: "waiting", because: conduct.clockBecause },
        correct: (hint, settle) => {
          conduct.corrections.push(hint);
          const outcome = conduct.correct();
          if (outcome !== undefined) world.timers.after(correctionMillis, () => settle(outcome));
        },
      },
      connect: options.hasOneLink === true ? oneLinkAtATime(dialer.connect, world) : dialer.connect,
    };
    const agent = createAgent(
      ports,
      {
        ...registry,
        device: id,
        slot: 0,
        ...(typeof options.agent === "function" ? options.agent(id) : options.agent),
      },
      typeof options.handlers === "function" ? options.handlers(id) : options.handlers,
    );
    const events: AgentEvent[] = [];
    agent.onEvent((event) => {
      events.push(event);
      log.add(id, JSON.stringify(event));
    });
    tenants.push({ id, agent, ports, dialer, events, key, conduct });
  }

  /** What the subscription delivers, as text, in order. */
  async function pullAll(): Promise<readonly string[]> {
    const texts: string[] = [];
    for (;;) {
      const batch = await backbone.pull(registry.project, "all", 1_000);
      if (batch.length === 0) return texts;
      for (const { message } of batch) texts.push(utf8Decode(message.payload));
      await backbone.acknowledge(
        registry.project,
        "all",
        batch.map((m) => m.ackId),
      );
    }
  }

  /** Another process in the bridge's place, with what was durable of it. Links of the one before are not ended by this. */
  function replaceBridge(): void {
    bridge = openBridge("bridge, again");
  }

  return {
    world,
    log,
    store,
    service,
    backbone,
    get bridge() {
      return bridge;
    },
    replaceBridge,
    tenants,
    pullAll,
  };
}

/** The one tenant of a house of one. */
export function onlyTenant(house: House): Tenant {
  const [tenant] = house.tenants;
  if (tenant === undefined) throw new Error("the house is empty");
  return tenant;
}

export function passMillis(world: World, millis: number): Promise<void> {
  return new Promise((resolve) => {
    world.timers.after(millis, resolve);
  });
}

function observe(line: (text: string) => void): BridgeObserver {
  return {
    attempted: () => undefined,
    alarm: ({ kind, device }) => line(`alarm ${kind} ${device.device}`),
    verified: ({ outcome }) => line(`verified ${outcome}`),
    connected: (f) =>
      line(`connected ${f.principal.deviceId} tookOver=${f.tookOver} until ${f.deadlineSeconds}`),
    renewed: (f) => line(`renewed ${f.principal.deviceId} ${f.secondsLeft} s before its end`),
    renewalRefused: (f) => line(`renewal refused ${f.principal.deviceId} ${f.because}`),
    connectRefused: (f) => line(`refused ${f.deviceName?.device ?? "?"} ${f.because}`),
    disconnected: (f) =>
      line(`disconnected ${f.principal.deviceId} ${f.because} unacknowledged=${f.unacknowledged}`),
    attached: (f) => line(`attached ${f.principal.deviceId} ${f.gateway.deviceId}`),
    attachRefused: (f) => line(`attachRefused ${f.device} ${f.because}`),
    detached: (f) => line(`detached ${f.principal.deviceId} ${f.because}`),
    gatewayError: (f) => line(`gatewayError ${f.type}`),
    published: (f) => line(`published ${f.kind} ${f.qos} ${f.payloadBytes}`),
    acknowledged: (f) => line(`acknowledged ${f.kind}`),
    notStored: (f) => line(`not stored ${f.because}`),
    sent: (f) => line(`sent ${f.kind}`),
  };
}

/** As a microcontroller's sockets: the first link is over before the second is begun. */
function oneLinkAtATime(connect: Connect, world: World): Connect {
  let giveWay = (): void => {};
  return (events) => {
    giveWay();
    let isOver = false;
    const link = connect({
      opened: () => isOver || events.opened(),
      received: (bytes) => isOver || events.received(bytes),
      closed(because) {
        if (!isOver) events.closed(because);
        isOver = true;
      },
    });
    giveWay = () => {
      if (isOver) return;
      isOver = true;
      link.close();
      world.timers.after(0, () => events.closed("another connection took its place"));
    };
    return link;
  };
}
