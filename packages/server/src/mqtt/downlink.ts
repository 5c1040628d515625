/**
 * Downlink: the device's config and commands, on what it subscribed to.
 *
 * Config: the latest version at each subscription, even an empty one, and at each change. While one waits for
 * its PUBACK a newer one waits too, and only the newest then goes out. Commands are not stored: sent now or
 * not at all. Both share a window of QoS 1 messages, which a command that timed out still occupies until the
 * device acknowledges it or the connection ends.
 */
import type { Clock } from "@mayfly/core";
import { commandTopic, configTopic } from "@mayfly/core";
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import { encodePublish } from "@mayfly/core/mqtt-server";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceConfigVersion, DeviceRef } from "../registry/model.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { CommandOutcome } from "./bridge.ts";
import { commandBytesMax, commandTimeoutMillis, configRetryMillis, downlinkWindowMax } from "./limits.ts";
import type { BridgeObserver } from "./observer.ts";

export interface DownlinkPorts {
  readonly clock: Clock;
  readonly registry: Pick<RegistryStore, "lookUpConfig" | "acknowledgeConfig">;
  readonly observer: BridgeObserver;
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
  queue(bytes: Uint8Array): void;
  noteActivity(what: "configSendMs" | "configAckMs"): void;
  /** There is a new due time. */
  downlinkMoved(): void;
}

type Granted = 0 | 1;
type Answer = (outcome: CommandOutcome) => void;
type InFlight =
  | { readonly kind: "config"; readonly version: number }
  /** No `answer` once it timed out. */
  | { readonly kind: "command"; answer: Answer | undefined; readonly dueMillis: number };

export class Downlink {
  readonly #ports: DownlinkPorts;
  readonly #owner: DownlinkOwner;
  /** By Packet Identifier, oldest first; made when first needed. */
  #inFlight: Map<number, InFlight> | undefined;
  #lastPacketIdentifier = 0;
  #config: Granted | undefined;
  #commands: Granted | undefined;
  #isConfigInFlight = false;
  /** A config should go out as soon as the one before is acknowledged, or the window opens. */
  #isConfigWaiting = false;
  /** The store could not look the config up; infinite while nothing is owed. */
  #configRetryAtMillis = Number.POSITIVE_INFINITY;
  #sentVersion = 0;
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

  /** When the first command in flight times out, or the config is looked up again; infinite while neither waits. */
  get dueMillis(): number {
    for (const item of this.#inFlight?.values() ?? []) {
      if (item.kind !== "command" || item.answer === undefined) continue;
      return Math.min(item.dueMillis, this.#configRetryAtMillis);
    }
    return this.#configRetryAtMillis;
  }

  /** Notes a subscription. Its config goes out with {@link sendConfig}, after the SUBACK. */
  subscribe(kind: "config" | "commands", qos: Granted): void {
    if (kind === "config") this.#config = qos;
    else this.#commands = qos;
  }

  /** @returns whether there was such a subscription. */
  unsubscribe(kind: "config" | "commands"): boolean {
    const had = (kind === "config" ? this.#config : this.#commands) !== undefined;
    if (kind === "config") this.#config = undefined;
    else this.#commands = undefined;
    return had;
  }

  /** Sends the latest config whether the device has it or not. */
  sendConfig(): void {
    this.#sentVersion = 0;
    this.configChanged();
  }

  /** Sends the latest config unless the device has it; later, while one is unacknowledged. */
  configChanged(): void {
    this.#configRetryAtMillis = Number.POSITIVE_INFINITY;
    if (this.#config === undefined) return;
    this.#isConfigWaiting = this.#isConfigInFlight || (this.#config === 1 && this.#isWindowFull());
    if (this.#isConfigWaiting) return;
    this.#ports.registry.lookUpConfig(this.#deviceRef(), (config) => {
      if (this.#isClosed || this.#config === undefined || config === undefined) return;
      if (config === "unavailable") {
        this.#configRetryAtMillis = this.#ports.clock.monotonicMillis() + configRetryMillis;
        this.#owner.downlinkMoved();
        return;
      }
      // The store may have needed time; the answer to another question may have gone out meanwhile.
      if (this.#isConfigInFlight) this.#isConfigWaiting = true;
      else if (config.version > this.#sentVersion) this.#publishConfig(config, this.#config);
    });
  }

  sendCommand(command: { readonly payload: Uint8Array; readonly subfolder: string }, answer: Answer): void {
    const { clock, observer } = this.#ports;
    const qos = this.#commands;
    if (qos === undefined) {
      answer("not_subscribed");
      return;
    }
    if (command.payload.length > commandBytesMax) {
      answer("too_large");
      return;
    }
    if (qos === 1 && this.#isWindowFull()) {
      answer("too_many");
      return;
    }
    const packetIdentifier = qos === 1 ? this.#nextPacketIdentifier() : undefined;
    const topic = commandTopic(this.#owner.deviceInTopics, command.subfolder);
    if (!this.#publish(topic, command.payload, packetIdentifier)) {
      answer("too_large");
      return;
    }
    observer.sent({ kind: "command", qos, payloadBytes: command.payload.length });
    if (packetIdentifier === undefined) {
      answer("delivered");
      return;
    }
    const dueMillis = clock.monotonicMillis() + commandTimeoutMillis;
    this.#track(packetIdentifier, { kind: "command", answer, dueMillis });
    this.#owner.downlinkMoved();
  }

  /** A PUBACK; one for nothing in flight is ignored. @param reasonCode 0x80 and above: the device refused it. */
  acknowledged(packetIdentifier: number, reasonCode: number): void {
    const item = this.#inFlight?.get(packetIdentifier);
    if (item === undefined) return;
    this.#inFlight?.delete(packetIdentifier);
    if (item.kind === "command") {
      item.answer?.("delivered");
    } else {
      this.#isConfigInFlight = false;
      if (reasonCode < 0x80) this.#configAcknowledged(item.version);
    }
    if (this.#isConfigWaiting) this.configChanged();
  }

  /** Commands past their time are answered, and a config still owed is looked up again. */
  expire(nowMillis: number): void {
    if (nowMillis >= this.#configRetryAtMillis) this.configChanged();
    for (const item of this.#inFlight?.values() ?? []) {
      if (item.kind !== "command" || item.answer === undefined) continue;
      if (item.dueMillis > nowMillis) return;
      const { answer } = item;
      item.answer = undefined;
      answer("timed_out");
    }
  }

  /** The connection is gone: nothing in flight will be acknowledged. */
  close(): void {
    this.#isClosed = true;
    const items = [...(this.#inFlight?.values() ?? [])];
    this.#inFlight = undefined;
    for (const item of items) {
      if (item.kind === "command") item.answer?.("connection_lost");
    }
  }

  #publishConfig(config: DeviceConfigVersion, qos: Granted): void {
    if (qos === 1 && this.#isWindowFull()) {
      this.#isConfigWaiting = true;
      return;
    }
    const packetIdentifier = qos === 1 ? this.#nextPacketIdentifier() : undefined;
    const topic = configTopic(this.#owner.deviceInTopics);
    // MQTT 5.0 §3.1.2.11.4: what is too large for the client counts as sent.
    this.#sentVersion = config.version;
    if (!this.#publish(topic, config.binaryData, packetIdentifier)) return;
    this.#ports.observer.sent({ kind: "config", qos, payloadBytes: config.binaryData.length });
    this.#owner.noteActivity("configSendMs");
    if (packetIdentifier === undefined) return;
    this.#isConfigInFlight = true;
    this.#track(packetIdentifier, { kind: "config", version: config.version });
  }

  #configAcknowledged(version: number): void {
    this.#owner.noteActivity("configAckMs");
    const atMs = Math.floor(this.#ports.clock.wallSeconds() * 1000);
    // A device deleted meanwhile has no version to mark, and a store in trouble tells so by its own status.
    this.#ports.registry.acknowledgeConfig(this.#deviceRef(), version, atMs).catch(() => undefined);
  }

  #publish(topic: string, payload: Uint8Array, packetIdentifier: number | undefined): boolean {
    const bytes = encodePublish(
      {
        type: "publish",
        dup: false,
        qos: packetIdentifier === undefined ? 0 : 1,
        retain: false,
        topic,
        ...(packetIdentifier === undefined ? {} : { packetIdentifier }),
        payload,
      },
      this.#owner.version,
    );
    if (bytes.length > this.#owner.clientPacketBytesMax) return false;
    this.#owner.queue(bytes);
    return true;
  }

  #track(packetIdentifier: number, item: InFlight): void {
    this.#inFlight ??= new Map();
    this.#inFlight.set(packetIdentifier, item);
  }

  #isWindowFull(): boolean {
    return this.inFlight >= Math.min(downlinkWindowMax, this.#owner.clientReceiveMaximum);
  }

  #nextPacketIdentifier(): number {
    // At most 20 are in use, so a free one is near.
    do {
      this.#lastPacketIdentifier = (this.#lastPacketIdentifier % 0xffff) + 1;
    } while (this.#inFlight?.has(this.#lastPacketIdentifier));
    return this.#lastPacketIdentifier;
  }

  #deviceRef(): DeviceRef {
    return { ...this.#owner.principal.registry, device: this.#owner.principal.deviceId };
  }
}
