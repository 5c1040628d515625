/**
 * The live session of an admitted device: what its packets do, and when it must end.
 *
 * It sleeps on one due time, the least of its deadline, its keep-alive and the waits of its parts. The
 * deadline is wall time turned into monotonic time at admission, so a step of this machine's clock neither
 * prolongs nor shortens it; it is turned again only when the bridge finds that it was wrong about the time.
 *
 * Left to others: bytes and the link (`connection.ts`), acknowledgements (`uplink.ts`), config and commands
 * (`downlink.ts`).
 */
import { type DeviceName, type TopicUser, utf8Length } from "@mayfly/core";
import type { ClientPacket, ConnectPacket, ProtocolVersion, PublishPacket } from "@mayfly/core/mqtt";
import { encodePingresp, encodePuback, encodeSuback, encodeUnsuback } from "@mayfly/core/mqtt-server";
import type { DevicePrincipal } from "../auth/admission.ts";
import { rejudge } from "../auth/rejudgement.ts";
import type { AdmissionRecord } from "../registry/model.ts";
import type { LookUp } from "../registry/store.ts";
import { eventBytesMax, type Intake, stateBytesMax } from "../telemetry/intake.ts";
import { ActivityNotes } from "./activity-notes.ts";
import type { BridgePorts, CommandOutcome } from "./bridge.ts";
import { type CloseReason, reasonOnWire } from "./close-reason.ts";
import { Downlink, type DownlinkOwner } from "./downlink.ts";
import { drainWaitMillis, messageIdBytesMax } from "./limits.ts";
import { PublishTopics } from "./publish-topics.ts";
import { subscribe, unsubscribe } from "./subscriptions.ts";
import { type HeldTotal, Uplink, type UplinkOwner } from "./uplink.ts";

/** What a session asks of the connection below it. */
export interface SessionCarrier {
  /** Monotonic time of the last bytes from the peer. */
  readonly lastReceivedMillis: number;
  /** Whether we have stopped reading; then silence says nothing. */
  readonly isPaused: boolean;
  queue(bytes: Uint8Array): void;
  /** Goes on reading, where it had stopped, and sets the due time anew. */
  proceed(): void;
  /** Sets the due time anew. */
  reschedule(): void;
  end(because: CloseReason): void;
}

export interface SessionOrder {
  readonly connect: ConnectPacket;
  readonly deviceName: DeviceName;
  readonly principal: DevicePrincipal;
  readonly keepAliveMillis: number;
  readonly heldTotal: HeldTotal;
}

export class LiveSession implements UplinkOwner, DownlinkOwner {
  readonly version: ProtocolVersion;
  readonly deviceInTopics: string;
  readonly clientReceiveMaximum: number;
  readonly clientPacketBytesMax: number;
  readonly admittedMillis: number;
  readonly connectedMs: number;
  readonly uplink: Uplink;
  readonly downlink: Downlink;
  readonly #ports: BridgePorts;
  readonly #carrier: SessionCarrier;
  readonly #user: TopicUser;
  readonly #topics: PublishTopics;
  readonly #notes: ActivityNotes;
  readonly #keepAliveMillis: number;
  #principal: DevicePrincipal;
  #deadlineMillis = 0;
  #deadlineBecause: CloseReason = "token_expired";
  #drainEndsMillis = Number.POSITIVE_INFINITY;

  constructor(ports: BridgePorts, intake: Intake, carrier: SessionCarrier, order: SessionOrder) {
    const { connect, deviceName, principal } = order;
    this.#ports = ports;
    this.#carrier = carrier;
    this.#principal = principal;
    this.#keepAliveMillis = order.keepAliveMillis;
    this.version = connect.protocolVersion;
    this.deviceInTopics = deviceName.device;
    this.clientReceiveMaximum = connect.properties?.receiveMaximum ?? 0xffff;
    this.clientPacketBytesMax = connect.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.admittedMillis = ports.clock.monotonicMillis();
    this.connectedMs = Math.floor(ports.clock.wallSeconds() * 1000);
    this.#user = {
      names: [principal.deviceId, principal.deviceNumId],
      isGateway: false,
      isAttached: () => false,
    };
    this.#topics = new PublishTopics(this.#user);
    this.#notes = new ActivityNotes(ports, { ...principal.registry, device: principal.deviceId });
    const { clock, random, observer, registry } = ports;
    this.uplink = new Uplink({ clock, random, observer, intake, heldTotal: order.heldTotal }, this);
    this.downlink = new Downlink({ clock, registry, observer }, this);
    this.#setDeadline();
    this.#notes.noteKey(principal.keyId);
    this.#notes.tell(this.admittedMillis);
  }

  get principal(): DevicePrincipal {
    return this.#principal;
  }

  get knowsReceiveMaximum(): boolean {
    return this.version === 5;
  }

  /** Wall time at which the session ends at the latest. */
  get deadlineSeconds(): number {
    const { clock } = this.#ports;
    return clock.wallSeconds() + (this.#deadlineMillis - clock.monotonicMillis()) / 1000;
  }

  /** Whether packets may be read now. */
  get mayRead(): boolean {
    return !this.uplink.isBlocked && this.#drainEndsMillis === Number.POSITIVE_INFINITY;
  }

  /** When something is to be done at the latest; monotonic. */
  get dueMillis(): number {
    const { lastReceivedMillis, isPaused } = this.#carrier;
    return Math.min(
      this.#deadlineMillis,
      isPaused ? Number.POSITIVE_INFINITY : lastReceivedMillis + this.#keepAliveMillis,
      this.uplink.dueMillis,
      this.downlink.dueMillis,
      this.#notes.dueMillis,
      this.#drainEndsMillis,
    );
  }

  /** Does what is due. */
  wake(nowMillis: number): void {
    const { lastReceivedMillis, isPaused } = this.#carrier;
    if (nowMillis >= this.#deadlineMillis) {
      this.#carrier.end(this.#deadlineBecause);
      return;
    }
    if (nowMillis >= this.#drainEndsMillis) {
      this.#carrier.end("shutting_down");
      return;
    }
    if (nowMillis >= this.uplink.dueMillis) {
      this.#carrier.end("store_unavailable");
      return;
    }
    if (!isPaused && nowMillis >= lastReceivedMillis + this.#keepAliveMillis) {
      this.#carrier.end("keep_alive");
      return;
    }
    this.downlink.expire(nowMillis);
    if (nowMillis >= this.#notes.dueMillis) this.#notes.tell(nowMillis);
  }

  take(packet: ClientPacket): void {
    switch (packet.type) {
      case "publish":
        this.#publish(packet);
        return;
      case "puback":
        this.downlink.acknowledged(packet.packetIdentifier, packet.reasonCode);
        return;
      case "pingreq":
        this.noteActivity("heartbeatMs");
        this.#carrier.queue(encodePingresp());
        return;
      case "subscribe": {
        // 5.0 §3.2.2.3.12: CONNACK said that there are none.
        if (packet.properties?.subscriptionIdentifiers !== undefined) {
          this.#carrier.end("subscription_identifier");
          return;
        }
        const answer = subscribe(packet, this.#user, this.version, this.downlink);
        if (answer === "foreign") {
          this.#carrier.end("topic_not_own");
          return;
        }
        const { packetIdentifier } = packet;
        const { reasonCodes } = answer;
        this.#carrier.queue(encodeSuback({ type: "suback", packetIdentifier, reasonCodes }, this.version));
        if (answer.wantsConfig) this.downlink.sendConfig();
        return;
      }
      case "unsubscribe": {
        const reasonCodes = unsubscribe(packet, this.#user, this.version, this.downlink);
        const { packetIdentifier } = packet;
        this.#carrier.queue(
          encodeUnsuback({ type: "unsuback", packetIdentifier, reasonCodes }, this.version),
        );
        return;
      }
      case "disconnect":
        this.uplink.takeHeld();
        this.#carrier.end("client_disconnected");
        return;
      default:
        // A second CONNECT, AUTH on a connection without Authentication Method [MQTT-4.12.0-1], and QoS 2's
        // packets, which belong to nothing: no PUBLISH of QoS 2 goes either way.
        this.#carrier.end("protocol_error");
        return;
    }
  }

  sendCommand(
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: (outcome: CommandOutcome) => void,
  ): void {
    this.downlink.sendCommand(command, answer);
  }

  /** The registry changed: ends the session, or takes over what it says now. */
  rejudge(record: LookUp<AdmissionRecord>): void {
    // The change may have been this device's blocking: a right that cannot be looked up is not assumed.
    if (record === "unavailable") {
      this.#carrier.end("registry_unavailable");
      return;
    }
    const verdict = rejudge(this.#principal, record, this.#ports.clock.wallSeconds(), "mqtt");
    if (verdict.kind === "ends") {
      this.#carrier.end(verdict.because);
      return;
    }
    this.#principal = verdict.principal;
    this.#setDeadline();
    this.#carrier.reschedule();
  }

  /** The bridge believes another time than before: the deadline is worked out again. */
  rederive(): void {
    this.#setDeadline();
    this.#carrier.reschedule();
  }

  /** Takes nothing more; ends when what was taken is durable, or soon after. */
  drain(): void {
    if (this.uplink.unacknowledged === 0) {
      this.#carrier.end("shutting_down");
      return;
    }
    this.#drainEndsMillis = this.#ports.clock.monotonicMillis() + drainWaitMillis;
    this.#carrier.proceed();
  }

  /** The last words: answers who waits, and tells the registry what is still noted. */
  close(because: CloseReason): void {
    this.uplink.close();
    this.downlink.close();
    const { status } = reasonOnWire(because);
    if (status !== undefined) this.#notes.noteError(status);
    this.#notes.tell(this.#ports.clock.monotonicMillis());
  }

  // ── What uplink and downlink ask ──────────────────────────────────────────────────────────────────────

  queue(bytes: Uint8Array): void {
    this.#carrier.queue(bytes);
  }

  queuePuback(packetIdentifier: number): void {
    this.#carrier.queue(encodePuback(packetIdentifier));
  }

  noteActivity(what: Parameters<ActivityNotes["note"]>[0]): void {
    if (this.#notes.note(what)) this.#carrier.reschedule();
  }

  uplinkMoved(): void {
    const isDraining = this.#drainEndsMillis !== Number.POSITIVE_INFINITY;
    if (isDraining && this.uplink.unacknowledged === 0) this.#carrier.end("shutting_down");
    else this.#carrier.proceed();
  }

  downlinkMoved(): void {
    this.#carrier.reschedule();
  }

  end(because: CloseReason): void {
    this.#carrier.end(because);
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  #publish(packet: PublishPacket): void {
    if (packet.qos === 2) {
      this.#carrier.end("qos_not_supported");
      return;
    }
    const meaning = this.#topics.meaningOf(packet);
    if (meaning.kind === "refused") {
      this.#carrier.end(meaning.because);
      return;
    }
    const bytesMax = meaning.kind === "state" ? stateBytesMax : eventBytesMax;
    if (packet.payload.length > bytesMax) {
      this.#carrier.end("packet_too_large");
      return;
    }
    // RETAIN is ignored: there is nothing to retain for, and firmware that sets it should not lose a message.
    this.uplink.take({
      kind: meaning.kind,
      subfolder: meaning.subfolder,
      packetIdentifier: packet.packetIdentifier,
      payload: packet.payload,
      deviceMessageId: packet.properties === undefined ? undefined : messageIdOf(packet),
    });
  }

  #setDeadline(): void {
    const { clock } = this.#ports;
    const { deadlineSeconds, deadlineBecause, policy } = this.#principal;
    const rightEndsMillis = clock.monotonicMillis() + (deadlineSeconds - clock.wallSeconds()) * 1000;
    const connectionEndsMillis = this.admittedMillis + policy.connectionMaxSeconds * 1000;
    this.#deadlineMillis = Math.min(rightEndsMillis, connectionEndsMillis);
    this.#deadlineBecause = rightEndsMillis <= connectionEndsMillis ? deadlineBecause : "connection_maximum";
  }
}

function messageIdOf(packet: PublishPacket): string | undefined {
  const id = packet.properties?.userProperties?.find(([name]) => name === "id")?.[1];
  return id === undefined || id === "" || utf8Length(id) > messageIdBytesMax ? undefined : id;
}
