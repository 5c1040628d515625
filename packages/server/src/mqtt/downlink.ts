/**
 * Downlink: the device's config and commands, on what it subscribed to.
 *
 * Config: the latest version at each subscription, even an empty one, and at each change. While one waits for
 * its PUBACK a newer one waits too, and only the newest then goes out. Commands of a Session that ends with its
 * connection are not stored: sent now or not at all. Those of a kept Session are durable before they are sent,
 * and go out again with DUP until the device acknowledges them. All share a window of QoS 1 messages, which a
 * command that timed out still occupies until the device acknowledges it or the connection ends.
 *
 * What a connection leaves behind ({@link DownlinkState}) another one of the same Session takes up: in flight
 * under the same Packet Identifiers [MQTT-4.4.0-1].
 */
import type { Clock } from "@mayfly/core";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceConfigVersion, DeviceRef } from "../registry/model.ts";
import type { KeptCommand, KeptSession, KeptSubscriptions } from "../registry/session-store.ts";
import type { RegistryStore } from "../registry/store.ts";
import { type DownlinkClient, encodeCommand, encodeConfig } from "./downlink-packet.ts";
import type { Command, CommandAnswer, DownlinkLane, DownlinkWindow, InFlight } from "./downlink-window.ts";
import type { KeptSessionWriter } from "./kept-session.ts";
import { commandBytesMax, commandTimeoutMillis, configRetryMillis } from "./limits.ts";
import type { BridgeObserver } from "./observer.ts";

export interface DownlinkPorts {
  readonly clock: Clock;
  readonly registry: Pick<RegistryStore, "lookUpConfig" | "acknowledgeConfig">;
  readonly observer: BridgeObserver;
}

/** What the downlink asks of its connection. */
export interface DownlinkOwner extends DownlinkClient {
  readonly principal: DevicePrincipal;
  /** The connection's, made when first needed … */
  readonly window: DownlinkWindow;
  /** … and undefined until then. */
  readonly openWindow: DownlinkWindow | undefined;
  /** Whether as much was written as may wait for a peer that does not read. */
  readonly isOutgoingFull: boolean;
  /** Where the Session is kept beyond the connection. */
  readonly kept: KeptSessionWriter | undefined;
  queue(bytes: Uint8Array): void;
  noteActivity(what: "configSendMs" | "configAckMs"): void;
  /** There is a new due time. */
  downlinkMoved(): void;
  /** Something waits for room in the window: {@link Downlink.windowOpened} is wanted then. */
  waitsForWindow(): void;
  /** A command became durable when this connection was over: whoever has the Session now sends it. */
  passOn(command: KeptCommand): void;
}

type Granted = 0 | 1;
/** A kept command that waits for the window; its Packet Identifier is the store's. */
type Waiting = Command & { readonly packetIdentifier: number; readonly mayHaveBeenSent: boolean };

/** What another connection of the same Session goes on with. */
export interface DownlinkState {
  readonly subscriptions: KeptSubscriptions;
  /** By Packet Identifier, oldest first. */
  readonly inFlight: ReadonlyMap<number, InFlight>;
  readonly waiting: readonly Waiting[];
  readonly sentVersion: number;
  readonly newestVersion: number;
  readonly mayPassOverAcknowledged: boolean;
  readonly lastPacketIdentifier: number;
}

export class Downlink implements DownlinkLane {
  readonly #ports: DownlinkPorts;
  readonly #owner: DownlinkOwner;
  /** Kept commands behind the window, oldest first; at most as many as the store keeps. */
  #waiting: Waiting[] = [];
  #config: Granted | undefined;
  #commands: Granted | undefined;
  #configPacketIdentifier: number | undefined;
  /** A config should go out as soon as the one before is acknowledged, or the window opens. */
  #isConfigWaiting = false;
  /** The Session was taken up from the store: a version that the device acknowledged is not sent again. */
  #mayPassOverAcknowledged = false;
  /** The store could not look the config up, or the peer does not read; infinite while nothing is owed. */
  #retryAtMillis = Number.POSITIVE_INFINITY;
  #sentVersion = 0;
  /** Of all that were sent: an answer that was long on its way does not bring an older one after it. */
  #newestVersion = 0;
  #isClosed = false;

  constructor(ports: DownlinkPorts, owner: DownlinkOwner) {
    this.#ports = ports;
    this.#owner = owner;
  }

  get subscriptions(): readonly ("config" | "commands")[] {
    const list: ("config" | "commands")[] = [];
    if (this.#config !== undefined) list.push("config");
    if (this.#commands !== undefined) list.push("commands");
    return list;
  }

  get takesCommands(): boolean {
    return this.#commands !== undefined;
  }

  get keptSubscriptions(): KeptSubscriptions {
    return {
      ...(this.#config === undefined ? undefined : { config: this.#config }),
      ...(this.#commands === undefined ? undefined : { commands: this.#commands }),
    };
  }

  /** When the first command times out, or the config is looked up again; infinite while neither waits. */
  get dueMillis(): number {
    let dueMillis = this.#retryAtMillis;
    for (const command of this.#commandsAwaited()) dueMillis = Math.min(dueMillis, command.dueMillis);
    return dueMillis;
  }

  /** Notes a subscription. Its config, whether the device has it or not, is owed until {@link configChanged}. */
  subscribe(kind: "config" | "commands", qos: Granted): void {
    if (kind === "commands") {
      this.#commands = qos;
      return;
    }
    this.#config = qos;
    this.#sentVersion = 0;
    this.#mayPassOverAcknowledged = false;
    this.#isConfigWaiting = true;
    // A 3.1.1 device that could not use a config withholds its PUBACK, and asks again so. It has no Receive Maximum that
    // a second one in flight could break; in 5.0 a PUBACK says that it failed.
    if (this.#owner.version === 4) this.#giveUpConfigInFlight();
  }

  /** @returns whether there was such a subscription. */
  unsubscribe(kind: "config" | "commands"): boolean {
    const had = (kind === "config" ? this.#config : this.#commands) !== undefined;
    if (kind === "config") this.#config = undefined;
    else this.#commands = undefined;
    return had;
  }

  /** Sends the latest config unless the device has it; later, while one is unacknowledged or the peer does not read. */
  configChanged(): void {
    this.#retryAtMillis = Number.POSITIVE_INFINITY;
    if (this.#config === undefined) return;
    this.#isConfigWaiting = this.#isConfigInFlight || (this.#config === 1 && this.#isWindowFull());
    if (this.#isConfigWaiting) {
      this.#owner.waitsForWindow();
      return;
    }
    if (this.#owner.isOutgoingFull) {
      this.#retryLater();
      return;
    }
    this.#ports.registry.lookUpConfig(this.#deviceRef(), (config) => {
      if (this.#isClosed || this.#config === undefined || config === undefined) return;
      if (config === "unavailable") {
        this.#retryLater();
        return;
      }
      // The store may have needed time; the answer to another question may have gone out meanwhile.
      if (config.version < this.#newestVersion) return;
      if (this.#isConfigInFlight) this.#isConfigWaiting = true;
      else if (config.version > this.#sentVersion && !this.#isPassedOver(config)) {
        this.#publishConfig(config, this.#config);
      }
    });
  }

  sendCommand(
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: CommandAnswer,
  ): void {
    const { kept } = this.#owner;
    const qos = this.#commands;
    if (qos === undefined) answer("not_subscribed");
    else if (command.payload.length > commandBytesMax) answer("too_large");
    else if (this.#owner.isOutgoingFull) answer("too_many");
    else if (qos === 1 && kept !== undefined) this.#keepCommand(kept, command, answer);
    else this.#sendNow(command, qos, answer);
  }

  /** A command became durable meanwhile, and may be none of those that this connection began with. */
  takeKept(command: KeptCommand): void {
    const { packetIdentifier } = command;
    const isKnown =
      this.#owner.openWindow?.find(this, packetIdentifier) !== undefined ||
      this.#waiting.some((one) => one.packetIdentifier === packetIdentifier);
    if (isKnown) return;
    this.#waiting.push(waitingOf(command));
    this.#sendWaiting();
  }

  acknowledged(packetIdentifier: number, item: InFlight, reasonCode: number): void {
    if (item.kind === "command") {
      if (item.isKept) this.#owner.kept?.removeCommand(packetIdentifier);
      item.answer?.(reasonCode < 0x80 ? "delivered" : "refused_by_device");
    } else {
      this.#configPacketIdentifier = undefined;
      if (reasonCode < 0x80) this.#configAcknowledged(item.version);
    }
  }

  /** There may be room again, and what waited for it goes out. */
  windowOpened(): void {
    if (this.#isConfigWaiting) this.configChanged();
    this.#sendWaiting();
  }

  /** Commands past their time are answered, and a config still owed is looked up again. */
  expire(nowMillis: number): void {
    if (nowMillis >= this.#retryAtMillis) {
      this.configChanged();
      this.#sendWaiting();
    }
    for (const command of this.#commandsAwaited()) {
      if (command.dueMillis > nowMillis) continue;
      const { answer } = command;
      command.answer = undefined;
      answer?.(command.isKept ? "queued" : "timed_out");
    }
  }

  /** Another connection goes on with all this; {@link close} then has nothing to answer. */
  handOver(): DownlinkState {
    const state: DownlinkState = {
      subscriptions: this.keptSubscriptions,
      inFlight: this.#owner.openWindow?.takeOut(this) ?? new Map(),
      waiting: this.#waiting,
      sentVersion: this.#sentVersion,
      newestVersion: this.#newestVersion,
      mayPassOverAcknowledged: this.#mayPassOverAcknowledged,
      lastPacketIdentifier: this.#owner.openWindow?.last ?? 0,
    };
    this.#configPacketIdentifier = undefined;
    this.#waiting = [];
    return state;
  }

  /** Goes on where another connection stopped. Call once, when CONNACK is on its way. */
  takeOver(state: DownlinkState): void {
    this.#config = state.subscriptions.config;
    this.#commands = state.subscriptions.commands;
    this.#sentVersion = state.sentVersion;
    this.#newestVersion = state.newestVersion;
    this.#mayPassOverAcknowledged = state.mayPassOverAcknowledged;
    if (state.lastPacketIdentifier > 0) this.#owner.window.last = state.lastPacketIdentifier;
    const behind: Waiting[] = [];
    for (const [packetIdentifier, item] of state.inFlight) {
      const fits = !this.#isWindowFull() && behind.length === 0;
      if (fits && this.#resend(packetIdentifier, item)) continue;
      if (item.kind === "config") this.#sentVersion = 0;
      else if (item.isKept) behind.push({ ...item, packetIdentifier, mayHaveBeenSent: true });
      else item.answer?.("connection_lost");
    }
    this.#waiting = [...behind, ...state.waiting];
    this.#sendWaiting();
    // What the other was about to look up, for whatever reason, is looked up here.
    this.configChanged();
    this.#owner.downlinkMoved();
  }

  /** Goes on with a Session of the store. Call once, when CONNACK is on its way. */
  resume(session: KeptSession): void {
    this.#config = session.subscriptions.config;
    this.#commands = session.subscriptions.commands;
    this.#mayPassOverAcknowledged = true;
    this.#waiting = session.commands.map(waitingOf);
    this.#sendWaiting();
    this.configChanged();
  }

  /** The connection is gone: nothing in flight will be acknowledged on it. */
  close(): void {
    this.#isClosed = true;
    const commands = [...this.#commandsAwaited()];
    this.#owner.openWindow?.takeOut(this);
    this.#configPacketIdentifier = undefined;
    this.#waiting = [];
    for (const { answer, isKept } of commands) answer?.(isKept ? "queued" : "connection_lost");
  }

  #sendNow(
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    qos: Granted,
    answer: CommandAnswer,
  ): void {
    if (qos === 1 && this.#isWindowFull()) {
      answer("too_many");
      return;
    }
    const packetIdentifier = qos === 1 ? this.#owner.window.nextPacketIdentifier() : undefined;
    if (!this.#publishCommand(command, packetIdentifier, false)) {
      answer("too_large");
      return;
    }
    this.#ports.observer.sent({ kind: "command", qos, payloadBytes: command.payload.length });
    if (packetIdentifier === undefined) {
      answer("delivered");
      return;
    }
    const dueMillis = this.#ports.clock.monotonicMillis() + commandTimeoutMillis;
    const { subfolder, payload } = command;
    this.#owner.window.put(this, packetIdentifier, {
      kind: "command",
      isKept: false,
      subfolder,
      payload,
      answer,
      dueMillis,
    });
    this.#owner.downlinkMoved();
  }

  /** Durable first, then sent: what the sender is told holds over a restart. */
  #keepCommand(
    kept: KeptSessionWriter,
    { subfolder, payload }: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: CommandAnswer,
  ): void {
    const dueMillis = this.#ports.clock.monotonicMillis() + commandTimeoutMillis;
    kept.queueCommand({ subfolder, payload }, (outcome) => {
      if (outcome === undefined) answer("store_unavailable");
      else if (outcome.kind === "no_session") answer("not_connected");
      else if (outcome.kind !== "queued") answer(outcome.kind);
      else if (this.#isClosed) {
        const { packetIdentifier } = outcome;
        this.#owner.passOn({ packetIdentifier, subfolder, payload, mayHaveBeenSent: false });
        answer("queued");
      } else {
        const { packetIdentifier } = outcome;
        const command = { packetIdentifier, subfolder, payload, answer, dueMillis };
        this.#disown(packetIdentifier);
        this.#waiting.push({ ...command, isKept: true, mayHaveBeenSent: false });
        this.#sendWaiting();
        this.#owner.downlinkMoved();
      }
    });
  }

  /**
   * The store has given this identifier anew: the Session in which it was given before is over, as when its key was
   * retired just before this connection renewed it with another, and so is what the store had of it. The PUBACK
   * that may still come is for the old command, and the new one waits for it.
   */
  #disown(packetIdentifier: number): void {
    const item = this.#owner.openWindow?.find(this, packetIdentifier);
    if (item?.kind === "command") item.isKept = false;
    const isOld = (one: Waiting) => one.packetIdentifier === packetIdentifier;
    for (const { answer } of this.#waiting.filter(isOld)) answer?.("connection_lost");
    this.#waiting = this.#waiting.filter((one) => !isOld(one));
  }

  /** Kept commands go out as the window allows; what is too large for this client is discarded [MQTT-3.1.2-25]. */
  #sendWaiting(): void {
    while (this.#waiting.length > 0) {
      if (this.#isWindowFull()) {
        this.#owner.waitsForWindow();
        return;
      }
      if (this.#owner.isOutgoingFull) {
        this.#retryLater();
        return;
      }
      const [next] = this.#waiting;
      if (next === undefined || this.#owner.openWindow?.has(next.packetIdentifier)) return;
      this.#waiting.shift();
      const { packetIdentifier, mayHaveBeenSent, ...command } = next;
      if (!this.#publishCommand(command, packetIdentifier, mayHaveBeenSent)) {
        this.#owner.kept?.removeCommand(packetIdentifier);
        command.answer?.("too_large");
        continue;
      }
      this.#ports.observer.sent({ kind: "command", qos: 1, payloadBytes: command.payload.length });
      this.#owner.window.put(this, packetIdentifier, { kind: "command", ...command });
    }
  }

  #resend(packetIdentifier: number, item: InFlight): boolean {
    const isSent =
      item.kind === "config"
        ? this.#publishVersion(item.version, item.payload, packetIdentifier, true)
        : this.#publishCommand(item, packetIdentifier, true);
    if (!isSent) return false;
    if (item.kind === "config") this.#configPacketIdentifier = packetIdentifier;
    this.#owner.window.put(this, packetIdentifier, item);
    return true;
  }

  #publishConfig(config: DeviceConfigVersion, qos: Granted): void {
    if (qos === 1 && this.#isWindowFull()) {
      this.#isConfigWaiting = true;
      this.#owner.waitsForWindow();
      return;
    }
    const packetIdentifier = qos === 1 ? this.#owner.window.nextPacketIdentifier() : undefined;
    // MQTT 5.0 §3.1.2.11.4: what is too large for the client counts as sent.
    this.#sentVersion = config.version;
    this.#newestVersion = config.version;
    if (!this.#publishVersion(config.version, config.binaryData, packetIdentifier, false)) return;
    this.#ports.observer.sent({ kind: "config", qos, payloadBytes: config.binaryData.length });
    this.#owner.noteActivity("configSendMs");
    if (packetIdentifier === undefined) return;
    this.#configPacketIdentifier = packetIdentifier;
    const { version, binaryData: payload } = config;
    this.#owner.window.put(this, packetIdentifier, { kind: "config", version, payload });
  }

  #giveUpConfigInFlight(): void {
    if (this.#configPacketIdentifier !== undefined) {
      this.#owner.openWindow?.delete(this.#configPacketIdentifier);
    }
    this.#configPacketIdentifier = undefined;
  }

  get #isConfigInFlight(): boolean {
    return this.#configPacketIdentifier !== undefined;
  }

  #isPassedOver(config: DeviceConfigVersion): boolean {
    return this.#mayPassOverAcknowledged && config.deviceAckMs !== undefined;
  }

  #retryLater(): void {
    this.#retryAtMillis = this.#ports.clock.monotonicMillis() + configRetryMillis;
    this.#owner.downlinkMoved();
  }

  #configAcknowledged(version: number): void {
    this.#owner.noteActivity("configAckMs");
    const atMs = Math.floor(this.#ports.clock.wallSeconds() * 1000);
    // A device deleted meanwhile has no version to mark, and a store in trouble tells so by its own status.
    this.#ports.registry.acknowledgeConfig(this.#deviceRef(), version, atMs).catch(() => undefined);
  }

  #publishVersion(
    version: number,
    payload: Uint8Array,
    packetIdentifier: number | undefined,
    dup: boolean,
  ): boolean {
    return this.#queue(encodeConfig(this.#owner, version, { payload, packetIdentifier, dup }));
  }

  #publishCommand(
    { subfolder, payload }: { readonly payload: Uint8Array; readonly subfolder: string },
    packetIdentifier: number | undefined,
    dup: boolean,
  ): boolean {
    return this.#queue(encodeCommand(this.#owner, subfolder, { payload, packetIdentifier, dup }));
  }

  /** @returns whether the client takes it. */
  #queue(bytes: Uint8Array | undefined): boolean {
    if (bytes !== undefined) this.#owner.queue(bytes);
    return bytes !== undefined;
  }

  /** Commands whose sender waits: in flight first, each kind oldest first. */
  *#commandsAwaited(): Iterable<Command> {
    for (const [, item] of this.#owner.openWindow?.of(this) ?? []) {
      if (item.kind === "command" && item.answer !== undefined) yield item;
    }
    for (const command of this.#waiting) if (command.answer !== undefined) yield command;
  }

  #isWindowFull(): boolean {
    return this.#owner.openWindow?.isFull ?? false;
  }

  #deviceRef(): DeviceRef {
    return { ...this.#owner.principal.registry, device: this.#owner.principal.deviceId };
  }
}

function waitingOf(command: KeptCommand): Waiting {
  return { ...command, isKept: true, answer: undefined, dueMillis: Number.POSITIVE_INFINITY };
}
