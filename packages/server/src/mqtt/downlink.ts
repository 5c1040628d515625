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
import { commandTopic, configTopic, configVersionProperty } from "@mayfly/core";
import type { Properties, ProtocolVersion } from "@mayfly/core/mqtt";
import { encodePublish } from "@mayfly/core/mqtt-server";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceConfigVersion, DeviceRef } from "../registry/model.ts";
import {
  type KeptCommand,
  type KeptSession,
  type KeptSubscriptions,
  keptPacketIdentifierMax,
} from "../registry/session-store.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import type { CommandOutcome } from "./bridge.ts";
import type { KeptSessionWriter } from "./kept-session.ts";
import { commandBytesMax, commandTimeoutMillis, configRetryMillis, downlinkWindowMax } from "./limits.ts";
import type { BridgeObserver } from "./observer.ts";

export interface DownlinkPorts {
  readonly clock: Clock;
  readonly registry: Pick<RegistryStore, "lookUpConfig" | "acknowledgeConfig">;
  readonly observer: BridgeObserver;
  readonly deviceLog: DeviceLog;
}

/** What the downlink asks of its connection. */
export interface DownlinkOwner {
  readonly principal: DevicePrincipal;
  /** As the client calls its device in topics: string id or numId, as in its Client Identifier. */
  readonly deviceInTopics: string;
  readonly version: ProtocolVersion;
  /** The client's Receive Maximum and Maximum Packet Size; 65,535 and infinite where it named none. */
  readonly clientReceiveMaximum: number;
  readonly clientPacketBytesMax: number;
  /** Whether as much was written as may wait for a peer that does not read. */
  readonly isOutgoingFull: boolean;
  /** Where the Session is kept beyond the connection. */
  readonly kept: KeptSessionWriter | undefined;
  queue(bytes: Uint8Array): void;
  noteActivity(what: "configSendMs" | "configAckMs"): void;
  /** There is a new due time. */
  downlinkMoved(): void;
  /** A command became durable when this connection was over: whoever has the Session now sends it. */
  passOn(command: KeptCommand): void;
}

type Granted = 0 | 1;
type Answer = (outcome: CommandOutcome) => void;

interface Command {
  readonly subfolder: string;
  readonly payload: Uint8Array;
  /** No answer once it timed out, or where nobody waits. */
  answer: Answer | undefined;
  readonly dueMillis: number;
  /** The store has it until the device acknowledges it. */
  isKept: boolean;
}
type InFlight =
  | { readonly kind: "config"; readonly version: number; readonly payload: Uint8Array }
  | ({ readonly kind: "command" } & Command);
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

export class Downlink {
  readonly #ports: DownlinkPorts;
  readonly #owner: DownlinkOwner;
  /** By Packet Identifier, oldest first; made when first needed. */
  #inFlight: Map<number, InFlight> | undefined;
  /** Kept commands behind the window, oldest first; at most as many as the store keeps. */
  #waiting: Waiting[] = [];
  #lastPacketIdentifier = 0;
  #config: Granted | undefined;
  #commands: Granted | undefined;
  #isConfigInFlight = false;
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

  get inFlight(): number {
    return this.#inFlight?.size ?? 0;
  }

  get subscriptions(): readonly ("config" | "commands")[] {
    const list: ("config" | "commands")[] = [];
    if (this.#config !== undefined) list.push("config");
    if (this.#commands !== undefined) list.push("commands");
    return list;
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
    if (this.#isConfigWaiting) return;
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

  sendCommand(command: { readonly payload: Uint8Array; readonly subfolder: string }, answer: Answer): void {
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
      this.#inFlight?.has(packetIdentifier) === true ||
      this.#waiting.some((one) => one.packetIdentifier === packetIdentifier);
    if (isKnown) return;
    this.#waiting.push(waitingOf(command));
    this.#sendWaiting();
  }

  /** A PUBACK; one for nothing in flight is ignored. @param reasonCode 0x80 and above: the device refused it. */
  acknowledged(packetIdentifier: number, reasonCode: number): void {
    const item = this.#inFlight?.get(packetIdentifier);
    if (item === undefined) return;
    this.#inFlight?.delete(packetIdentifier);
    this.#ports.deviceLog.downlink(this.#owner.principal, "PUBACK", item.kind);
    if (item.kind === "command") {
      if (item.isKept) this.#owner.kept?.removeCommand(packetIdentifier);
      item.answer?.(reasonCode < 0x80 ? "delivered" : "refused_by_device");
    } else {
      this.#isConfigInFlight = false;
      if (reasonCode < 0x80) this.#configAcknowledged(item.version);
    }
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
      inFlight: this.#inFlight ?? new Map(),
      waiting: this.#waiting,
      sentVersion: this.#sentVersion,
      newestVersion: this.#newestVersion,
      mayPassOverAcknowledged: this.#mayPassOverAcknowledged,
      lastPacketIdentifier: this.#lastPacketIdentifier,
    };
    this.#inFlight = undefined;
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
    this.#lastPacketIdentifier = state.lastPacketIdentifier;
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
    this.#inFlight = undefined;
    this.#waiting = [];
    for (const { answer, isKept } of commands) answer?.(isKept ? "queued" : "connection_lost");
  }

  #sendNow(
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    qos: Granted,
    answer: Answer,
  ): void {
    if (qos === 1 && this.#isWindowFull()) {
      answer("too_many");
      return;
    }
    const packetIdentifier = qos === 1 ? this.#nextPacketIdentifier() : undefined;
    const topic = commandTopic(this.#owner.deviceInTopics, command.subfolder);
    if (!this.#publish(topic, command.payload, packetIdentifier, false)) {
      answer("too_large");
      return;
    }
    this.#ports.deviceLog.downlink(this.#owner.principal, "PUBLISH", "command");
    this.#ports.observer.sent({ kind: "command", qos, payloadBytes: command.payload.length });
    if (packetIdentifier === undefined) {
      answer("delivered");
      return;
    }
    const dueMillis = this.#ports.clock.monotonicMillis() + commandTimeoutMillis;
    const { subfolder, payload } = command;
    this.#track(packetIdentifier, { kind: "command", isKept: false, subfolder, payload, answer, dueMillis });
    this.#owner.downlinkMoved();
  }

  /** Durable first, then sent: what the sender is told holds over a restart. */
  #keepCommand(
    kept: KeptSessionWriter,
    { subfolder, payload }: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: Answer,
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
    const item = this.#inFlight?.get(packetIdentifier);
    if (item?.kind === "command") item.isKept = false;
    const isOld = (one: Waiting) => one.packetIdentifier === packetIdentifier;
    for (const { answer } of this.#waiting.filter(isOld)) answer?.("connection_lost");
    this.#waiting = this.#waiting.filter((one) => !isOld(one));
  }

  /** Kept commands go out as the window allows; what is too large for this client is discarded [MQTT-3.1.2-25]. */
  #sendWaiting(): void {
    while (this.#waiting.length > 0 && !this.#isWindowFull()) {
      if (this.#owner.isOutgoingFull) {
        this.#retryLater();
        return;
      }
      const [next] = this.#waiting;
      if (next === undefined || this.#inFlight?.has(next.packetIdentifier)) return;
      this.#waiting.shift();
      const { packetIdentifier, mayHaveBeenSent, ...command } = next;
      const topic = commandTopic(this.#owner.deviceInTopics, command.subfolder);
      if (!this.#publish(topic, command.payload, packetIdentifier, mayHaveBeenSent)) {
        this.#owner.kept?.removeCommand(packetIdentifier);
        command.answer?.("too_large");
        continue;
      }
      this.#ports.deviceLog.downlink(this.#owner.principal, "PUBLISH", "command");
      this.#ports.observer.sent({ kind: "command", qos: 1, payloadBytes: command.payload.length });
      this.#track(packetIdentifier, { kind: "command", ...command });
    }
  }

  #resend(packetIdentifier: number, item: InFlight): boolean {
    const { deviceInTopics } = this.#owner;
    const isSent =
      item.kind === "config"
        ? this.#publishVersion(item.version, item.payload, packetIdentifier, true)
        : this.#publish(commandTopic(deviceInTopics, item.subfolder), item.payload, packetIdentifier, true);
    if (!isSent) return false;
    if (item.kind === "config") this.#isConfigInFlight = true;
    this.#track(packetIdentifier, item);
    return true;
  }

  #publishConfig(config: DeviceConfigVersion, qos: Granted): void {
    if (qos === 1 && this.#isWindowFull()) {
      this.#isConfigWaiting = true;
      return;
    }
    const packetIdentifier = qos === 1 ? this.#nextPacketIdentifier() : undefined;
    // MQTT 5.0 §3.1.2.11.4: what is too large for the client counts as sent.
    this.#sentVersion = config.version;
    this.#newestVersion = config.version;
    if (!this.#publishVersion(config.version, config.binaryData, packetIdentifier, false)) return;
    this.#ports.deviceLog.downlink(this.#owner.principal, "PUBLISH", "config");
    this.#ports.observer.sent({ kind: "config", qos, payloadBytes: config.binaryData.length });
    this.#owner.noteActivity("configSendMs");
    if (packetIdentifier === undefined) return;
    this.#isConfigInFlight = true;
    this.#track(packetIdentifier, { kind: "config", version: config.version, payload: config.binaryData });
  }

  #giveUpConfigInFlight(): void {
    for (const [packetIdentifier, item] of this.#inFlight ?? []) {
      if (item.kind === "config") this.#inFlight?.delete(packetIdentifier);
    }
    this.#isConfigInFlight = false;
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

  /** A config says which version it is, where the client speaks 5.0 and takes a packet with that in it. */
  #publishVersion(
    version: number,
    payload: Uint8Array,
    packetIdentifier: number | undefined,
    dup: boolean,
  ): boolean {
    const topic = configTopic(this.#owner.deviceInTopics);
    const named: Properties | undefined =
      this.#owner.version === 5 ? { userProperties: [[configVersionProperty, `${version}`]] } : undefined;
    return (
      (named !== undefined && this.#publish(topic, payload, packetIdentifier, dup, named)) ||
      this.#publish(topic, payload, packetIdentifier, dup)
    );
  }

  #publish(
    topic: string,
    payload: Uint8Array,
    packetIdentifier: number | undefined,
    dup: boolean,
    properties?: Properties,
  ): boolean {
    const bytes = encodePublish(
      {
        type: "publish",
        dup,
        qos: packetIdentifier === undefined ? 0 : 1,
        retain: false,
        topic,
        ...(packetIdentifier === undefined ? {} : { packetIdentifier }),
        payload,
        ...(properties === undefined ? {} : { properties }),
      },
      this.#owner.version,
    );
    if (bytes.length > this.#owner.clientPacketBytesMax) return false;
    this.#owner.queue(bytes);
    return true;
  }

  /** Commands whose sender waits: in flight first, each kind oldest first. */
  *#commandsAwaited(): Iterable<Command> {
    for (const item of this.#inFlight?.values() ?? []) {
      if (item.kind === "command" && item.answer !== undefined) yield item;
    }
    for (const command of this.#waiting) if (command.answer !== undefined) yield command;
  }

  #track(packetIdentifier: number, item: InFlight): void {
    this.#inFlight ??= new Map();
    this.#inFlight.set(packetIdentifier, item);
  }

  #isWindowFull(): boolean {
    return this.inFlight >= Math.min(downlinkWindowMax, this.#owner.clientReceiveMaximum);
  }

  #nextPacketIdentifier(): number {
    // At most 20 are in use, so a free one is near. Those below belong to the store where a Session is kept.
    const floor = this.#owner.kept === undefined ? 0 : keptPacketIdentifierMax;
    do {
      const last = Math.max(this.#lastPacketIdentifier, floor);
      this.#lastPacketIdentifier = last >= 0xffff ? floor + 1 : last + 1;
    } while (this.#inFlight?.has(this.#lastPacketIdentifier));
    return this.#lastPacketIdentifier;
  }

  #deviceRef(): DeviceRef {
    return { ...this.#owner.principal.registry, device: this.#owner.principal.deviceId };
  }
}

function waitingOf(command: KeptCommand): Waiting {
  return { ...command, isKept: true, answer: undefined, dueMillis: Number.POSITIVE_INFINITY };
}
