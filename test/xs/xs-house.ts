/**
 * A house for one device whose agent runs in the XS engine: virtual time, the real bridge over memory stores, and the
 * engine at the near end of an in-memory link.
 *
 * Whatever the engine asks for (a timer, a link, room to write, a signature) this side gives in virtual time, and what
 * comes of it is one event more for the engine. Events are delivered one by one; between two tasks of the world the
 * engine is idle. Agent, adapters and bridge are the ones that ship.
 */
import { createHash, createPublicKey, randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { ByteLink } from "@mayfly/core";
import { policyPresets } from "@mayfly/core/token";
import type { AgentEvent, AgentOptions, AgentStatus } from "@mayfly/device";
import { nodeSimCrypto } from "@mayfly/secure-element/node";
import {
  type Bridge,
  type BridgeObserver,
  createBridge,
  createMemoryBackbone,
  createMemoryRegistryStore,
  eventRetentionDefault,
} from "@mayfly/server";
import { createNetwork, createWorld, type Dialer, type World } from "@mayfly/sim";
import { createP256Verifier } from "../../packages/sim/test/p256-verifier.ts";
import { bundle } from "./bundle.ts";
import { effects, events } from "./inside/protocol.ts";
import { XsWorker } from "./xs-worker.ts";

export const registry = { project: "mayfly", location: "here", registry: "lamps" } as const;
/** lwIP's send buffer on the chip, less than two segments. */
const allRoom = Uint8Array.of(1_536 >> 8, 1_536 & 0xff);
const signMillis = 80;
const startSeconds = 1_793_491_200;

/** What the engine starts from: harness and agent are loaded, nothing is made. */
export interface LoadedEngine {
  /** The heap before the agent was loaded, and after. */
  readonly before: Buffer;
  readonly loaded: Buffer;
  readonly bundleBytes: number;
}

/** Loads harness and agent once; the snapshots serve any number of houses. */
export async function loadEngine(): Promise<LoadedEngine> {
  const [harness, agent] = await Promise.all([bundle("machine.ts", "H"), bundle("agent-bundle.ts", "M")]);
  const worker = new XsWorker();
  try {
    await worker.evaluate(
      `${harness};globalThis.handleCommand=H.handleCommand;globalThis.console=H.console;1`,
    );
    const before = await worker.snapshot();
    await worker.evaluate(agent);
    return { before, loaded: await worker.snapshot(), bundleBytes: agent.length };
  } finally {
    await worker.end();
  }
}

export interface XsHouseOptions {
  readonly snapshot: Uint8Array;
  readonly agent?: Partial<AgentOptions>;
  /** What the engine's tick counter shows at the start. */
  readonly startTicks?: number;
  /** Events of the agent are told, as JSON that the engine has to make. */
  readonly tellsEvents?: boolean;
  /** While true, nobody signs: the chip is away. */
  readonly conduct?: { chipIsAway: boolean };
}

type Waiting = { readonly event: number; readonly id: number; readonly bytes: Uint8Array };
type Counts = { connects: number; renewed: number; refused: number; published: number; linksMost: number };

export class XsHouse {
  readonly world: World;
  readonly events: AgentEvent[] = [];
  readonly counts: Counts = { connects: 0, renewed: 0, refused: 0, published: 0, linksMost: 0 };
  /** Slots in use at the last answer of the engine. */
  heapCount = 0;
  #worker: XsWorker;
  readonly #options: XsHouseOptions;
  readonly #key: DeviceKey;
  readonly #dialer: Dialer;
  readonly #timers: (() => void)[] = [];
  readonly #links = new Map<number, ByteLink>();
  #waiting: Waiting[] = [];
  readonly #startTicks: number;
  readonly #random;

  private constructor(options: XsHouseOptions, key: DeviceKey, world: World, bridge: Bridge) {
    this.#options = options;
    this.#key = key;
    this.#dialer = createNetwork(world, { latencyMillis: { least: 5, most: 40 } }).createDialer(
      "lamp",
      (link) => bridge.open(link, { remoteAddress: "192.0.2.7" }),
    );
    this.world = world;
    this.#startTicks = options.startTicks ?? 0;
    this.#random = world.random("chip");
    this.#worker = new XsWorker({ snapshot: options.snapshot });
  }

  static async arrange(options: XsHouseOptions): Promise<XsHouse> {
    let house: XsHouse | undefined;
    const settlePromises = async (): Promise<void> => {
      // The store of the bridge answers by promise; the engine by its pipe.
      await setImmediate();
      await house?.settle();
    };
    const world = createWorld({ seed: "xs", startSeconds, settlePromises });
    const store = createMemoryRegistryStore({ clock: world.clock, random: world.random("registry") });
    const backbone = createMemoryBackbone({ clock: world.clock, timers: world.timers, commitMillis: 4 });
    const observer = observe((what) => {
      if (house !== undefined) house.counts[what] += 1;
    });
    const bridge = createBridge(
      {
        clock: world.clock,
        timers: world.timers,
        random: world.random("bridge"),
        registry: store,
        backbone,
        verifier: createP256Verifier(),
        observer,
      },
      {},
    );
    await store.createRegistry({
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
    const key = makeKey();
    await store.createDevice({
      ...registry,
      deviceId: "lamp",
      blocked: false,
      logLevel: "NONE",
      metadata: {},
      gatewayType: "NON_GATEWAY",
      gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
      keys: [
        {
          keyId: "slot-0",
          slot: 0,
          state: "active",
          format: "ES256_PEM",
          pem: key.pem,
          fingerprint: createHash("sha256").update(key.pem).digest("hex"),
          createdMs: 0,
        },
      ],
    });
    house = new XsHouse(options, key, world, bridge);
    await house.#make();
    // The chip is asked for randomness.
    await world.run(1_000);
    return house;
  }

  /** From now on the engine is another worker that starts from `snapshot`, which the present one has just made. */
  async goOnIn(snapshot: Uint8Array): Promise<void> {
    await this.#worker.end();
    this.#worker = new XsWorker({ snapshot });
  }

  get worker(): XsWorker {
    return this.#worker;
  }

  /** Runs virtual time. */
  run(millis: number): Promise<void> {
    return this.world.run(millis);
  }

  /** A script that may cause something, such as `H.start()`. */
  async evaluate(script: string): Promise<void> {
    const before = `H.setTicks(${this.#ticks()})`;
    const { bytes, heapCount } = await this.worker.evaluate(
      `${before};${script};({get result(){return H.takeAnswer()}})`,
    );
    this.heapCount = heapCount;
    this.#take(Buffer.from(bytes));
    await this.settle();
  }

  async status(): Promise<AgentStatus> {
    return (await this.worker.valueOf(`(H.setTicks(${this.#ticks()}),H.status())`)) as AgentStatus;
  }

  /** Slots in use once the garbage is gone. Asked by a command, since each script leaves a few slots of its own. */
  async countSlots(): Promise<number> {
    this.#post(events.collect, 0);
    await this.settle();
    return this.heapCount;
  }

  /** Promises that failed with nobody to hear it. */
  async unhandledRejections(): Promise<unknown> {
    return this.worker.valueOf("H.unhandledRejections()");
  }

  /** The links there are break. */
  cut(): void {
    this.#dialer.cut("ECONNRESET");
  }

  /** Delivers what waits for the engine, and what comes of it. */
  async settle(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const head = Buffer.alloc(7);
      head[0] = next.event;
      head.writeInt32BE(this.#ticks(), 1);
      head.writeUInt16BE(next.id, 5);
      const { bytes, heapCount } = await this.worker.command(Buffer.concat([head, next.bytes]));
      this.heapCount = heapCount;
      this.#take(Buffer.from(bytes));
    }
  }

  async #make(): Promise<void> {
    const { tellsEvents = false, agent } = this.#options;
    const options: AgentOptions = {
      ...registry,
      device: "lamp",
      keepAliveSeconds: 1_200,
      outbox: { messagesMax: 64, bytesMax: 4_096 },
      ...agent,
    };
    const made = `H.make(M,${JSON.stringify(options)}).then(()=>H.tellEvents(${tellsEvents}))`;
    await this.evaluate(`H.setWall(${startSeconds});${made}`);
  }

  #ticks(): number {
    return (this.#startTicks + Math.floor(this.world.clock.monotonicMillis())) | 0;
  }

  #post(event: number, id: number, bytes: Uint8Array = new Uint8Array()): void {
    this.#waiting.push({ event, id, bytes });
  }

  #take(answer: Buffer): void {
    for (let at = 0; at < answer.length; ) {
      const id = answer.readUInt16BE(at + 1);
      const length = answer.readUInt16BE(at + 3);
      this.#do(answer[at] ?? 0, id, Uint8Array.from(answer.subarray(at + 5, at + 5 + length)));
      at += 5 + length;
    }
  }

  #do(effect: number, id: number, bytes: Uint8Array): void {
    const { timers } = this.world;
    switch (effect) {
      case effects.timerSet:
        this.#timers[id] = timers.after(Buffer.from(bytes).readUInt32BE(0), () =>
          this.#post(events.timer, id),
        );
        return;
      case effects.timerCleared:
        this.#timers[id]?.();
        // It may have been due already: its number is free for another timer now.
        this.#waiting = this.#waiting.filter((next) => next.event !== events.timer || next.id !== id);
        return;
      case effects.resolve:
        timers.after(20, () => this.#post(events.resolved, id));
        return;
      case effects.connect:
        this.#connect(id);
        return;
      case effects.written: {
        const link = this.#links.get(id);
        link?.write(bytes);
        timers.after(10, () => {
          if (link !== undefined && this.#links.get(id) === link) this.#post(events.writable, id, allRoom);
        });
        return;
      }
      case effects.closed:
        this.#links.get(id)?.close();
        this.#links.delete(id);
        return;
      case effects.sign:
        timers.after(signMillis, () => this.#post(events.answered, id, this.#sign(bytes)));
        return;
      case effects.random:
        timers.after(20, () => this.#post(events.answered, id, this.#random.fill(new Uint8Array(32))));
        return;
      case effects.event:
        this.events.push(JSON.parse(Buffer.from(bytes).toString()) as AgentEvent);
        return;
      default:
        throw new Error(`the engine asked for ${effect}`);
    }
  }

  #connect(id: number): void {
    const link = this.#dialer.connect({
      opened: () => {
        if (this.#links.get(id) === link) this.#post(events.writable, id, allRoom);
      },
      received: (bytes) => {
        if (this.#links.get(id) === link) this.#post(events.readable, id, bytes);
      },
      closed: () => {
        if (this.#links.get(id) !== link) return;
        this.#links.delete(id);
        this.#post(events.failed, id);
      },
    });
    this.#links.set(id, link);
    this.counts.linksMost = Math.max(this.counts.linksMost, this.#links.size);
  }

  #sign(digest: Uint8Array): Uint8Array {
    // An empty answer is a chip that gave none.
    return this.#options.conduct?.chipIsAway === true ? new Uint8Array() : this.#key.sign(digest);
  }
}

interface DeviceKey {
  readonly pem: string;
  sign(digest: Uint8Array): Uint8Array;
}

/** A chip signs digests; so does the mathematics of its simulator. */
function makeKey(): DeviceKey {
  const { publicKeyOf, signDigest } = nodeSimCrypto();
  const privateKey = Uint8Array.from(randomBytes(32));
  const point = Buffer.from(publicKeyOf(privateKey) ?? []);
  const x = point.subarray(0, 32).toString("base64url");
  const y = point.subarray(32).toString("base64url");
  const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  return {
    pem: key.export({ format: "pem", type: "spki" }).toString(),
    sign: (digest) => signDigest(privateKey, digest, Uint8Array.from(randomBytes(32))) ?? new Uint8Array(),
  };
}

function observe(count: (what: "connects" | "renewed" | "refused" | "published") => void): BridgeObserver {
  const nothing = (): void => {};
  return {
    attempted: nothing,
    alarm: nothing,
    verified: nothing,
    connected: () => count("connects"),
    renewed: () => count("renewed"),
    renewalRefused: () => count("refused"),
    connectRefused: () => count("refused"),
    disconnected: nothing,
    ...{ attached: nothing, attachRefused: nothing, detached: nothing, gatewayError: nothing },
    published: () => count("published"),
    acknowledged: nothing,
    notStored: () => count("refused"),
    sent: nothing,
  };
}
