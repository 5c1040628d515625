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
import { type TopicUser, utf8Length } from "@mayfly/core";
import type {
  AuthPacket,
  ClientPacket,
  DisconnectPacket,
  ProtocolVersion,
  PublishPacket,
} from "@mayfly/core/mqtt";
import { reasonCode } from "@mayfly/core/mqtt";
import {
  encodeAcknowledgement,
  encodePingresp,
  encodePuback,
  encodeSuback,
  encodeUnsuback,
} from "@mayfly/core/mqtt-server";
import type { Admission, DevicePrincipal } from "../auth/admission.ts";
import { rejudge } from "../auth/rejudgement.ts";
import type { AdmissionRecord } from "../registry/model.ts";
import { type KeptCommand, type KeptSession, keptPacketIdentifierMax } from "../registry/session-store.ts";
import type { LookUp } from "../registry/store.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import { eventBytesMax, type Intake, stateBytesMax } from "../telemetry/intake.ts";
import { ActivityNotes } from "./activity-notes.ts";
import {
  type AttachmentServices,
  Attachments,
  type AttachmentsOwner,
  type AttachmentsState,
} from "./attachments.ts";
import type { CommandOutcome, EnginePorts } from "./bridge.ts";
import { type CloseReason, reasonOnWire } from "./close-reason.ts";
import type { ConnectRequest } from "./connect-request.ts";
import { Downlink, type DownlinkOwner, type DownlinkState } from "./downlink.ts";
import { DownlinkWindow } from "./downlink-window.ts";
import { type Beginning, KeptSessionWriter } from "./kept-session.ts";
import { downlinkWindowMax, drainWaitMillis, messageIdBytesMax, sessionExpirySecondsMax } from "./limits.ts";
import type { Load } from "./load.ts";
import type { LinkFacts } from "./observer.ts";
import { type ForOther, PublishTopics } from "./publish-topics.ts";
import { Reauthentication, type ReauthenticationOwner } from "./reauthentication.ts";
import { type SubscribeAnswer, type Subscribers, subscribe, unsubscribe } from "./subscriptions.ts";
import { type HeldTotal, Uplink, type UplinkOwner } from "./uplink.ts";

/** What a session asks of the connection below it. */
export interface SessionCarrier {
  /** Monotonic time of the last bytes from the peer. */
  readonly lastReceivedMillis: number;
  /** Whether we have stopped reading; then silence says nothing. */
  readonly isPaused: boolean;
  /** Monotonic time since when; infinite while we read. */
  readonly pausedMillis: number;
  queue(bytes: Uint8Array): void;
  /** Goes on reading, where it had stopped, and sets the due time anew. */
  proceed(): void;
  /** Sets the due time anew. */
  reschedule(): void;
  /** Grows with each change of the registry. */
  readonly changesSeen: number;
  /** Whether as much was written as may wait for a peer that does not read. */
  readonly isOutgoingFull: boolean;
  /** Has the session judged again. */
  rejudgeLater(): void;
  /** Gives a command to the connection that has the device's Session now, if any. */
  passOn(principal: DevicePrincipal, command: KeptCommand): void;
  /** @param reasonString tells the peer this instead of the reason's own. */
  end(because: CloseReason, reasonString?: string): void;
}

export interface SessionOrder {
  readonly request: ConnectRequest;
  readonly principal: DevicePrincipal;
  readonly link: LinkFacts;
  readonly keepAliveMillis: number;
  /** How long the Session outlives the connection: 0, or where the registry keeps Sessions at most a day. */
  readonly sessionExpirySeconds: number;
  /** The Session is kept, or was before and goes on until this connection ends. */
  readonly isKept: boolean;
}

/** What another connection of the same Session goes on with. */
export interface HandedOver extends DownlinkState {
  /** Of a gateway that is relieved; where it is only taken over, its attachments end. */
  readonly attachments?: AttachmentsState;
  readonly beginning: Readonly<Beginning> | undefined;
}

/** Shared by all sessions of the bridge. */
export interface SessionServices extends AttachmentServices {
  readonly admission: Admission;
  readonly intake: Intake;
  readonly heldTotal: HeldTotal;
  readonly load: Load;
  readonly rates: DeviceRates;
}

export class LiveSession implements UplinkOwner, DownlinkOwner, ReauthenticationOwner, AttachmentsOwner {
  readonly version: ProtocolVersion;
  readonly deviceInTopics: string;
  readonly #downlinkWindowMax: number;
  readonly clientPacketBytesMax: number;
  readonly admittedMillis: number;
  readonly connectedMs: number;
  readonly uplink: Uplink;
  readonly downlink: Downlink;
  readonly wantsProblemInformation: boolean;
  readonly sessionExpirySeconds: number;
  /** Undefined where the Session ends with the connection. */
  readonly kept: KeptSessionWriter | undefined;
  /** Undefined where CONNECT named no Authentication Method. */
  readonly #reauthentication: Reauthentication | undefined;
  /** Of a gateway. */
  readonly #attachments: Attachments | undefined;
  #window: DownlinkWindow | undefined;
  readonly #ports: EnginePorts;
  readonly #carrier: SessionCarrier;
  readonly #rates: DeviceRates;
  #user: TopicUser;
  #topics: PublishTopics;
  readonly #notes: ActivityNotes;
  readonly #keepAliveMillis: number;
  #principal: DevicePrincipal;
  #deadlineMillis = 0;
  #deadlineBecause: CloseReason = "token_expired";
  #drainStartsMillis = Number.POSITIVE_INFINITY;
  #drainEndsMillis = Number.POSITIVE_INFINITY;
  readonly #askedSessionExpirySeconds: number;
  #isClosed = false;

  constructor(ports: EnginePorts, services: SessionServices, carrier: SessionCarrier, order: SessionOrder) {
    const { request, principal, link } = order;
    this.#ports = ports;
    this.#carrier = carrier;
    this.#principal = principal;
    this.#keepAliveMillis = order.keepAliveMillis;
    this.version = request.version;
    // A Topic Name cannot hold a `+`, a device id can: such a device has its numId there.
    const { device: calledItself } = request.deviceName;
    this.deviceInTopics = calledItself.includes("+") ? principal.deviceNumId : calledItself;
    this.#downlinkWindowMax = Math.min(downlinkWindowMax, request.receiveMaximum);
    this.clientPacketBytesMax = request.packetBytesMax;
    this.wantsProblemInformation = request.wantsProblemInformation;
    this.#askedSessionExpirySeconds = request.sessionExpirySeconds;
    this.sessionExpirySeconds = order.sessionExpirySeconds;
    const device = { ...principal.registry, device: principal.deviceId };
    this.kept = order.isKept ? new KeptSessionWriter(ports, device, order.sessionExpirySeconds) : undefined;
    this.admittedMillis = ports.clock.monotonicMillis();
    this.connectedMs = Math.floor(ports.clock.wallSeconds() * 1000);
    this.#user = userOf(principal);
    this.#topics = new PublishTopics(this.#user);
    this.#notes = new ActivityNotes(ports, device);
    const { clock, random, observer, registry } = ports;
    const { admission, intake, heldTotal, load, rates } = services;
    this.#rates = rates;
    this.uplink = new Uplink({ clock, random, observer, intake, heldTotal, load, rates }, this);
    this.downlink = new Downlink({ clock, registry, observer }, this);
    const { method, token, deviceName, ownAgent } = request;
    this.#reauthentication =
      method === undefined
        ? undefined
        : new Reauthentication({ clock, admission, registry, observer }, this, {
            ...{ method, token, deviceName, ownAgent, link },
          });
    this.#attachments =
      principal.gatewayAuthMethod === undefined ? undefined : new Attachments(services, this, link);
    this.#setDeadline();
    this.#notes.noteKey(principal.keyId);
    this.#notes.tell(this.admittedMillis);
  }

  get principal(): DevicePrincipal {
    return this.#principal;
  }

  get changesSeen(): number {
    return this.#carrier.changesSeen;
  }

  get isOutgoingFull(): boolean {
    return this.#carrier.isOutgoingFull;
  }

  get window(): DownlinkWindow {
    this.#window ??= new DownlinkWindow(
      this.#downlinkWindowMax,
      this.kept === undefined ? 0 : keptPacketIdentifierMax,
    );
    return this.#window;
  }

  get openWindow(): DownlinkWindow | undefined {
    return this.#window;
  }

  get knowsReceiveMaximum(): boolean {
    return this.version === 5;
  }

  /** Monotonic time at which the session's right ends. */
  get deadlineMillis(): number {
    return this.#deadlineMillis;
  }

  /** Wall time at which the session ends at the latest. */
  get deadlineSeconds(): number {
    const { clock } = this.#ports;
    return clock.wallSeconds() + (this.#deadlineMillis - clock.monotonicMillis()) / 1000;
  }

  /** Whether packets may be read now. */
  get mayRead(): boolean {
    const isWaiting = this.uplink.isBlocked || this.#attachments?.isJudging === true;
    return !isWaiting && this.#drainEndsMillis === Number.POSITIVE_INFINITY;
  }

  /** When something is to be done at the latest; monotonic. */
  get dueMillis(): number {
    return Math.min(
      this.#deadlineMillis,
      this.#silenceEndsMillis,
      this.uplink.dueMillis,
      this.uplink.pacedUntilMillis,
      this.downlink.dueMillis,
      this.#attachments?.dueMillis ?? Number.POSITIVE_INFINITY,
      this.#notes.dueMillis,
      this.#drainStartsMillis,
      this.#drainEndsMillis,
    );
  }

  /** Does what is due. */
  wake(nowMillis: number): void {
    if (nowMillis >= this.#deadlineMillis) {
      this.#carrier.end(this.#deadlineBecause);
      return;
    }
    if (nowMillis >= this.#drainStartsMillis) {
      this.#drain();
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
    if (nowMillis >= this.uplink.pacedUntilMillis) {
      this.uplink.goOn();
      return;
    }
    if (nowMillis >= this.#silenceEndsMillis) {
      this.#carrier.end(this.#carrier.isPaused ? "server_busy" : "keep_alive");
      return;
    }
    this.downlink.expire(nowMillis);
    this.#attachments?.wake(nowMillis);
    if (nowMillis >= this.#notes.dueMillis) this.#notes.tell(nowMillis);
  }

  take(packet: ClientPacket): void {
    switch (packet.type) {
      case "publish":
        this.#publish(packet);
        return;
      case "puback":
        if (this.#window?.acknowledged(packet.packetIdentifier, packet.reasonCode) === true) {
          this.downlink.windowOpened();
          this.#attachments?.windowOpened();
        }
        return;
      case "pingreq":
        this.noteActivity("heartbeatMs");
        this.#carrier.queue(encodePingresp());
        return;
      case "subscribe": {
        const answer = subscribe(packet, this.#subscribers);
        if (typeof answer === "string") this.#carrier.end(answer);
        else this.#answerSubscribe(packet.packetIdentifier, answer);
        return;
      }
      case "unsubscribe":
        this.#answerUnsubscribe(packet.packetIdentifier, unsubscribe(packet, this.#subscribers));
        return;
      case "auth":
        this.#authenticate(packet);
        return;
      case "disconnect":
        this.#disconnect(packet);
        return;
      default:
        // A second CONNECT [MQTT-3.1.0-2], and QoS 2's packets, which belong to nothing: no PUBLISH of QoS 2 goes
        // either way.
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
    const { gatewayAuthMethod } = this.#principal;
    this.#principal = verdict.principal;
    if (gatewayAuthMethod !== verdict.principal.gatewayAuthMethod) this.#attachments?.askAgain();
    this.#setDeadline();
    this.#carrier.reschedule();
  }

  /** A token was verified in this session: what it gives holds from now on, its rights and its deadline. */
  renewed(principal: DevicePrincipal): void {
    const keyChanged = principal.keyFingerprint !== this.#principal.keyFingerprint;
    this.#principal = principal;
    if (keyChanged) this.#save();
    this.#user = userOf(principal);
    this.#topics = this.#topics.forUser(this.#user);
    this.#notes.noteKey(principal.keyId);
    this.#setDeadline();
    this.#carrier.reschedule();
  }

  /** The bridge believes another time than before: the deadline is worked out again. */
  rederive(): void {
    this.#setDeadline();
    this.#carrier.reschedule();
  }

  rejudgeLater(): void {
    this.#carrier.rejudgeLater();
  }

  /**
   * The first thing a session does behind its CONNACK.
   * @param found what was kept of the Session, by another connection or the store; a new one begins without.
   */
  begin(found: HandedOver | KeptSession | undefined): void {
    if (found === undefined) {
      this.#save(true);
      return;
    }
    if ("inFlight" in found) {
      if (found.beginning !== undefined) this.kept?.goOn(found.beginning);
      this.downlink.takeOver(found);
    } else this.downlink.resume(found);
    this.#attachments?.goOn("inFlight" in found ? found.attachments : undefined);
    this.#save();
  }

  /** The client wants nothing of the Session that was kept before: Clean Start 1. */
  endKeptBefore(): void {
    const { registry, deviceId } = this.#principal;
    this.#ports.sessions.endSession({ ...registry, device: deviceId }).catch(() => undefined);
  }

  /** Another connection of the device goes on with its Session: what there is to go on with. */
  handOver(): HandedOver {
    this.kept?.handedOn();
    return { ...this.downlink.handOver(), beginning: this.kept?.beginning };
  }

  /** As {@link handOver}, to a connection that relieves this one: what is attached stays so. */
  handOverAll(): HandedOver {
    const attachments = this.#attachments?.handOver();
    const state = this.handOver();
    return attachments === undefined ? state : { ...state, attachments };
  }

  /** Takes nothing more from `atMillis` on; then ends when what was taken is durable, or soon after. */
  drainAt(atMillis: number): void {
    this.#drainStartsMillis = atMillis;
    this.#carrier.reschedule();
  }

  #drain(): void {
    this.#drainStartsMillis = Number.POSITIVE_INFINITY;
    if (this.uplink.unacknowledged === 0) {
      this.#carrier.end("shutting_down");
      return;
    }
    this.#drainEndsMillis = this.#ports.clock.monotonicMillis() + drainWaitMillis;
    this.#carrier.proceed();
  }

  /** The last words: answers who waits, and tells the registry what is still noted. */
  close(because: CloseReason): void {
    this.#isClosed = true;
    this.#reauthentication?.close();
    this.uplink.close();
    this.downlink.close();
    this.#attachments?.close();
    this.kept?.leave();
    const { status } = reasonOnWire(because);
    if (status !== undefined) this.#notes.noteError(status);
    this.#notes.tell(this.#ports.clock.monotonicMillis());
  }

  // ── What uplink and downlink ask ──────────────────────────────────────────────────────────────────────

  queue(bytes: Uint8Array): void {
    this.#carrier.queue(bytes);
  }

  queuePuback(packetIdentifier: number, code: number): void {
    this.#carrier.queue(
      code === reasonCode.success
        ? encodePuback(packetIdentifier)
        : encodeAcknowledgement({ type: "puback", packetIdentifier, reasonCode: code }, this.version),
    );
  }

  noteActivity(what: Parameters<ActivityNotes["note"]>[0]): void {
    if (this.#notes.note(what)) this.#carrier.reschedule();
  }

  uplinkMoved(): void {
    const isDraining = this.#drainEndsMillis !== Number.POSITIVE_INFINITY;
    if (isDraining && this.uplink.unacknowledged === 0) this.#carrier.end("shutting_down");
    else this.#carrier.proceed();
  }

  waitsForWindow(): void {
    // Each PUBACK of its own opens it.
  }

  answer(packetIdentifier: number, code: number): void {
    this.uplink.answer(packetIdentifier, code);
  }

  attachmentsMoved(): void {
    this.#carrier.proceed();
  }

  downlinkMoved(): void {
    this.#carrier.reschedule();
  }

  /** A command of its Session is durable, and may be none of those it began with. */
  takeKept(command: KeptCommand): void {
    // What the store takes while a Session begins was an older one's.
    if (this.kept?.beginning.isDurable === true) this.downlink.takeKept(command);
  }

  passOn(command: KeptCommand): void {
    this.#carrier.passOn(this.#principal, command);
  }

  end(because: CloseReason, reasonString?: string): void {
    this.#carrier.end(because, reasonString);
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  /** @returns whether what the client is told of its subscriptions will hold. */
  async #save(isNew = false): Promise<boolean> {
    const { keyFingerprint } = this.#principal;
    const subscriptions = this.downlink.keptSubscriptions;
    return (await this.kept?.save({ keyFingerprint, subscriptions }, isNew)) ?? true;
  }

  #answerSubscribe(packetIdentifier: number, { reasonCodes, configs }: SubscribeAnswer): void {
    const answer = (codes: readonly number[]) => {
      const suback = { type: "suback", packetIdentifier, reasonCodes: codes } as const;
      if (!this.#reply(encodeSuback(suback, this.version))) return;
      for (const downlink of configs) downlink.configChanged();
    };
    if (this.kept === undefined) {
      answer(reasonCodes);
      return;
    }
    // A SUBACK promises a subscription that outlives the connection: first it must be durable.
    this.#save().then((isDurable) => {
      if (this.#isClosed) return;
      answer(isDurable ? reasonCodes : reasonCodes.map(() => reasonCode.unspecifiedError));
    });
  }

  #answerUnsubscribe(packetIdentifier: number, reasonCodes: readonly number[]): void {
    const answer = () => {
      const unsuback = { type: "unsuback", packetIdentifier, reasonCodes } as const;
      this.#reply(encodeUnsuback(unsuback, this.version));
    };
    if (this.kept === undefined) {
      answer();
      return;
    }
    this.#save().then(() => {
      if (!this.#isClosed) answer();
    });
  }

  /**
   * Answers as many filters as the client asked about, unless it takes no packet of that size [MQTT-3.1.2-24]: then
   * it would wait for ever, and is told why not. Every other answer is shorter than the CONNACK it has taken.
   */
  #reply(bytes: Uint8Array): boolean {
    const fits = bytes.length <= this.clientPacketBytesMax;
    if (fits) this.#carrier.queue(bytes);
    else this.#carrier.end("answer_too_large");
    return fits;
  }

  #disconnect({ properties }: DisconnectPacket): void {
    const asked = properties?.sessionExpiryInterval;
    if (asked !== undefined && asked > 0 && this.#askedSessionExpirySeconds === 0) {
      // 5.0 §3.14.2.2.2: what began with 0 cannot be prolonged at the end.
      this.#carrier.end("protocol_error");
      return;
    }
    if (asked !== undefined) this.kept?.changeExpiry(Math.min(asked, sessionExpirySecondsMax));
    this.uplink.takeHeld();
    this.#carrier.end("client_disconnected");
  }

  #authenticate(packet: AuthPacket): void {
    // [MQTT-4.12.0-7]: without a method in CONNECT there is nothing to authenticate again by.
    if (this.#reauthentication === undefined) this.#carrier.end("protocol_error");
    else this.#reauthentication.take(packet);
  }

  #publish(packet: PublishPacket): void {
    if (packet.qos === 2) {
      this.#carrier.end("qos_not_supported");
      return;
    }
    // 5.0 §3.2.2.3.5. A 3.1.1 client cannot know that nothing is retained; its message is not to be lost for a flag.
    if (packet.retain && this.version === 5) {
      this.#carrier.end("retain_not_supported");
      return;
    }
    const meaning = this.#topics.meaningOf(packet);
    if (meaning.kind === "refused") {
      this.#carrier.end(meaning.because);
      return;
    }
    const sender = "device" in meaning ? this.#attachments?.find(meaning.device) : undefined;
    if ("device" in meaning && (sender === undefined || !isMessage(meaning))) {
      this.#attachments?.publish(packet, meaning);
      return;
    }
    const message = {
      kind: meaning.kind,
      subfolder: meaning.subfolder,
      packetIdentifier: packet.packetIdentifier,
      payload: packet.payload,
      deviceMessageId: packet.properties === undefined ? undefined : messageIdOf(packet),
      ...(sender === undefined ? undefined : { sender }),
    };
    const bytesMax = meaning.kind === "state" ? stateBytesMax : eventBytesMax;
    if (packet.payload.length > bytesMax) {
      if (sender === undefined) this.#carrier.end("packet_too_large");
      else this.#attachments?.refuse(sender, "payload_too_large", message);
      return;
    }
    if (meaning.kind === "state" && this.#rates.takeState(sender?.principal ?? this.#principal) > 0) {
      if (sender === undefined) this.#carrier.end("state_rate_exceeded");
      else this.#attachments?.refuse(sender, "rate_exceeded", message);
      return;
    }
    if (sender !== undefined && packet.qos === 1) {
      const waitMillis = this.#rates.takeMessage(sender.principal, packet.payload.length);
      if (waitMillis > 0) {
        this.#attachments?.refuse(sender, "rate_exceeded", message);
        return;
      }
    }
    this.uplink.take(message);
  }

  /**
   * The client has one and a half of its Keep Alive to be heard of. While we do not read, it is its PINGREQ that
   * goes unread: half a Keep Alive of that, a third of the allowance, and we let it go elsewhere.
   */
  get #silenceEndsMillis(): number {
    const { lastReceivedMillis, isPaused, pausedMillis } = this.#carrier;
    return isPaused ? pausedMillis + this.#keepAliveMillis / 3 : lastReceivedMillis + this.#keepAliveMillis;
  }

  get #subscribers(): Subscribers {
    const { version, downlink } = this;
    return { user: this.#user, version, downlink, attachments: this.#attachments };
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

function userOf(principal: DevicePrincipal): TopicUser {
  return {
    names: [principal.deviceId, principal.deviceNumId],
    isGateway: principal.gatewayAuthMethod !== undefined,
    isAttached: () => false,
  };
}

function isMessage(meaning: ForOther): meaning is Extract<ForOther, { kind: "events" | "state" }> {
  return meaning.kind === "events" || meaning.kind === "state";
}

function messageIdOf(packet: PublishPacket): string | undefined {
  const id = packet.properties?.userProperties?.find(([name]) => name === "id")?.[1];
  return id === undefined || id === "" || utf8Length(id) > messageIdBytesMax ? undefined : id;
}
