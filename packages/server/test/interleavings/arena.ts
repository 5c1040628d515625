/**
 * The arena: the real bridge between sockets in memory, a store behind a slow wall and a backbone that answers when
 * told to, in virtual time, with the oracle looking on.
 *
 * Left to others: what is played (`plays.ts`), and what may come of it (`oracle/`).
 */
import { type KeyState, policyPresets } from "@mayfly/core/token";
import { type Bridge, createBridge } from "../../src/mqtt/bridge.ts";
import type { BridgeObserver } from "../../src/mqtt/observer.ts";
import { eventRetentionDefault } from "../../src/registry/model.ts";
import type { RegistryStore } from "../../src/registry/store.ts";
import { createMemoryRegistryStore } from "../../src/store/memory/index.ts";
import type { AppendOutcome, TelemetryMessage } from "../../src/telemetry/backbone.ts";
import { registryRef, VirtualTime } from "../bridge-world.ts";
import type { Choice } from "./choice.ts";
import { LateStore, type Slowness } from "./late-store.ts";
import { Breach } from "./oracle/notes.ts";
import { Oracle } from "./oracle/oracle.ts";
import type { House, Registered } from "./oracle/rights.ts";
import { paperKey, paperVerifier, type TokenFacts } from "./paper-tokens.ts";
import { Socket } from "./socket.ts";

/** Steps of the story that are kept to be told. */
const storyMax = 40;

/** One device, as its owner and its firmware see it. */
export interface Device {
  readonly name: string;
  registered: Registered;
  /** Tokens it has made, newest last; a few. */
  readonly tokens: TokenFacts[];
  readonly sockets: Peer[];
}

/** A socket and what its device knows of it. */
export interface Peer {
  readonly socket: Socket;
  readonly device: Device;
  /** Packet Identifiers of its own PUBLISHes that nobody acknowledged. */
  readonly unacknowledged: Set<number>;
  hasConnected: boolean;
  isConnacked: boolean;
  isByMethod: boolean;
}

interface Appended {
  readonly payload: string;
  readonly done: (outcome: AppendOutcome) => void;
}

export class Arena {
  readonly time = new VirtualTime();
  readonly choice: Choice;
  readonly house: House;
  readonly devices: Device[] = [];
  readonly appended: Appended[] = [];
  readonly late: LateStore;
  readonly oracle: Oracle;
  readonly bridge: Bridge;
  readonly story: string[] = [];
  /** Running numbers, so that nothing is named twice. */
  serial = 0;
  isDraining = false;
  /** The first thing that was wrong. It may be found in a promise, whose failure nobody would see. */
  breach: unknown;
  readonly #store: RegistryStore;
  readonly #peers = new Map<string, Peer>();

  constructor(choice: Choice, house: House, slowness: Slowness) {
    this.choice = choice;
    this.house = house;
    this.oracle = new Oracle(this.time, house, slowness, () => !this.late.isQuiet);
    const random = { fill: (bytes: Uint8Array) => choice.fill(bytes) };
    this.#store = createMemoryRegistryStore({ clock: this.time, random });
    this.late = new LateStore(this.#store, choice, slowness, {
      stateStored: (payload) => this.oracle.durable(textOf(payload)),
      commandKept: (payload, device) => this.oracle.commandKept(device, textOf(payload)),
    });
    this.bridge = createBridge({
      ...{ clock: this.time, timers: this.time, random, registry: this.late, verifier: paperVerifier },
      backbone: { append: (message, done) => this.#append(message, done) },
      observer: this.#observer(),
    });
  }

  async begin(devices: number): Promise<void> {
    await this.#store.createRegistry({
      ...registryRef,
      policy: { ...policyPresets.strict, ...this.house },
      retention: eventRetentionDefault,
      mqttEnabled: true,
      httpEnabled: true,
      logLevel: "NONE",
      eventNotificationConfigs: [],
      stateNotificationTopic: "",
      credentials: [],
    });
    for (let i = 0; i < devices; i++) {
      const device = {
        name: `device${i}`,
        registered: firstRegistered(`device${i}`, 0),
        tokens: [],
        sockets: [],
      };
      this.devices.push(device);
      this.oracle.registered(device.name, device.registered);
      await this.#createDevice(device);
    }
  }

  tell(line: string): void {
    if (this.breach !== undefined) return;
    this.story.push(`${String(this.time.monotonicMillis()).padStart(9)} ms  ${line}`);
    if (this.story.length > storyMax) this.story.shift();
  }

  /** What the bridge can do at once is done, then the oracle looks. */
  async settle(millis: number): Promise<void> {
    await rest();
    await this.time.advance(millis);
    await rest();
    await this.time.advance(0);
    if (this.breach !== undefined) throw this.breach;
    this.oracle.turnOver({
      bufferedBytes: (name) => this.#peers.get(name)?.socket.bufferedBytes ?? 0,
      isPaused: (name) => this.#peers.get(name)?.socket.isPaused ?? false,
    });
    for (const { socket } of this.#peers.values()) if (socket.isOpen) socket.deliver();
  }

  // ── Devices ───────────────────────────────────────────────────────────────────────────────────────────

  open(device: Device, version: 4 | 5): Peer {
    this.serial += 1;
    const name = `s${this.serial}`;
    const socket = new Socket(name, version, {
      wrote: ({ name }, packet) => {
        this.tell(`      ${name} ◀ ${packet.cmd} ${summaryOf(packet)}`);
        peer.isConnacked ||= packet.cmd === "connack";
        if (packet.cmd === "puback" && packet.messageId !== undefined) {
          peer.unacknowledged.delete(packet.messageId);
        }
        this.#watch(() => this.oracle.wrote(name, packet));
      },
      closedByBridge: ({ name }) => {
        this.tell(`      ${name} is closed by the bridge`);
        this.#watch(() => this.oracle.closedByBridge(name));
      },
    });
    const peer: Peer = {
      ...{
        socket,
        device,
        unacknowledged: new Set<number>(),
        hasConnected: false,
        isConnacked: false,
        isByMethod: false,
      },
    };
    this.#peers.set(name, peer);
    device.sockets.push(peer);
    this.oracle.opened(name, version, device.name);
    socket.attach(this.bridge.open(socket, { remoteAddress: name }));
    return peer;
  }

  lose(peer: Peer): void {
    if (peer.socket.isLost) return;
    this.oracle.lost(peer.socket.name);
    peer.socket.lose();
    this.#peers.delete(peer.socket.name);
    peer.device.sockets.splice(peer.device.sockets.indexOf(peer), 1);
  }

  // ── The application and the operator ──────────────────────────────────────────────────────────────────

  command(device: Device): void {
    this.serial += 1;
    const payload = `c${this.serial}`;
    this.tell(`command ${payload} for ${device.name}`);
    this.oracle.commandSent(device.name, payload);
    const ref = { ...registryRef, device: device.name };
    this.bridge.sendCommand(ref, { payload: Buffer.from(payload), subfolder: "sub" }, (outcome) => {
      this.tell(`      command ${payload}: ${outcome}`);
      this.#watch(() => this.oracle.commandAnswered(device.name, payload, outcome));
    });
  }

  /** The store's own promises of these settle at once. */
  async configure(device: Device, version: number): Promise<void> {
    this.tell(`config ${version} for ${device.name}`);
    this.oracle.configured(device.name);
    await this.#store.modifyConfig(
      { ...registryRef, device: device.name },
      Buffer.from(`config ${version}`),
      0,
    );
  }

  async register(device: Device, registered: Registered): Promise<void> {
    const ref = { ...registryRef, device: device.name };
    const before = device.registered;
    device.registered = registered;
    this.tell(`registry: ${device.name} ${JSON.stringify(registered)}`);
    const isAnew = registered.exists && !before.exists;
    this.oracle.registered(device.name, registered, isAnew ? 1 : undefined);
    if (!registered.exists) await this.#store.deleteDevice(ref);
    else if (isAnew) await this.#createDevice(device);
    else await this.#store.updateDevice(ref, { blocked: registered.isBlocked, keys: keysOf(registered) });
  }

  answer(index: number, outcome: "durable" | "queue_full"): void {
    const [appended] = this.appended.splice(index, 1);
    if (appended === undefined) return;
    this.tell(`backbone: "${appended.payload.slice(0, 20)}" ${outcome}`);
    if (outcome === "durable") {
      this.oracle.durable(appended.payload);
      appended.done({ kind: "durable", messageId: "1" });
    } else {
      this.oracle.storeRefused(appended.payload);
      appended.done({ kind: "refused", because: outcome });
    }
  }

  /** @throws {Breach} something is left of all that was. */
  checkNothingLeft(): void {
    const counts = Object.entries(this.bridge.counts()).filter(([, count]) => count !== 0);
    if (counts.length > 0) throw new Breach(`left when everybody is gone: ${JSON.stringify(counts)}`);
    if (this.time.timersWaiting > 0) throw new Breach(`${this.time.timersWaiting} timers are left`);
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  #watch(look: () => void): void {
    try {
      if (this.breach === undefined) look();
    } catch (error) {
      this.breach = error;
    }
  }

  #append(message: TelemetryMessage, done: (outcome: AppendOutcome) => void): void {
    const payload = textOf(message.payload);
    this.oracle.taken(payload);
    this.appended.push({ payload, done });
  }

  async #createDevice(device: Device): Promise<void> {
    await this.#store.createDevice({
      ...registryRef,
      deviceId: device.name,
      blocked: device.registered.isBlocked,
      logLevel: "NONE",
      metadata: {},
      gatewayType: "NON_GATEWAY",
      gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
      keys: keysOf(device.registered),
    });
  }

  #observer(): BridgeObserver {
    const nothing = () => undefined;
    return {
      ...{ verified: nothing, attempted: nothing, alarm: nothing, renewalRefused: nothing },
      ...{ attached: nothing, attachRefused: nothing, detached: nothing, gatewayError: nothing },
      ...{ published: nothing, acknowledged: nothing, notStored: nothing, sent: nothing },
      connected: ({ link, resumed }) => {
        this.tell(`      ${link.remoteAddress} connected${resumed ? ", resumed" : ""}`);
        this.#watch(() => this.oracle.connected(link.remoteAddress, { resumed }));
      },
      renewed: ({ link }) => this.#watch(() => this.oracle.renewed(link.remoteAddress)),
      connectRefused: ({ link, because }) => {
        this.tell(`      ${link.remoteAddress} refused ${because}`);
        this.#watch(() => this.oracle.refused(link.remoteAddress, because));
      },
      disconnected: ({ link, because }) => {
        this.tell(`      ${link.remoteAddress} disconnected ${because}`);
        this.#watch(() => this.oracle.disconnected(link.remoteAddress, because));
      },
    };
  }
}

/** A device that was just made: two keys of its own, so that a revoked one never comes back. */
export function firstRegistered(device: string, generation: number): Registered {
  const state: KeyState = "active";
  const keys = { [`${device} a${generation}`]: { state }, [`${device} b${generation}`]: { state } };
  return { exists: true, generation, isBlocked: false, keys };
}

function keysOf({ keys }: Registered) {
  return Object.entries(keys).map(([name, { state, endsSeconds }]) => paperKey(name, state, endsSeconds));
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function summaryOf(packet: object): string {
  const { messageId, dup, payload, reasonCode, returnCode, sessionPresent } = packet as Record<
    string,
    unknown
  >;
  const facts = { id: messageId, dup, payload: payload?.toString(), reasonCode, returnCode, sessionPresent };
  return JSON.stringify(facts);
}

/** Promises of the bridge and of the store come to rest. */
async function rest(): Promise<void> {
  for (let i = 0; i < 16; i++) await Promise.resolve();
}
