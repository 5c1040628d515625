/**
 * The live session of an admitted device: which of its parts takes a packet, and how it lives from CONNACK to its end.
 *
 * It sleeps on one due time, the least of its clock's and the waits of its parts.
 *
 * Left to others: bytes and the link (`connection.ts`), deadline, silence and drain (`session-clock.ts`), PUBLISH
 * (`session-publish.ts`) and its acknowledgement (`uplink.ts`), SUBSCRIBE (`session-subscribe.ts`), config and commands
 * (`downlink.ts`).
 */
import type { TopicUser } from "@mayfly/core";
import type { AuthPacket, ClientPacket, DisconnectPacket, ProtocolVersion } from "@mayfly/core/mqtt";
import { reasonCode } from "@mayfly/core/mqtt";
import { encodeAcknowledgement, encodePingresp, encodePuback } from "@mayfly/core/mqtt-server";
import type { DevicePrincipal } from "../auth/admission.ts";
import { rejudge } from "../auth/rejudgement.ts";
import type { AdmissionRecord } from "../registry/model.ts";
import { type KeptCommand, type KeptSession, keptPacketIdentifierMax } from "../registry/session-store.ts";
import type { LookUp } from "../registry/store.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import { ActivityNotes } from "./activity-notes.ts";
import { Attachments, type AttachmentsOwner } from "./attachments.ts";
import type { CommandOutcome, EnginePorts } from "./bridge.ts";
import { type CloseReason, reasonOnWire } from "./close-reason.ts";
import { Downlink, type DownlinkOwner } from "./downlink.ts";
import { DownlinkWindow } from "./downlink-window.ts";
import { KeptSessionWriter } from "./kept-session.ts";
import { downlinkWindowMax, sessionExpirySecondsMax } from "./limits.ts";
import { Reauthentication, type ReauthenticationOwner } from "./reauthentication.ts";
import type { HandedOver, SessionCarrier, SessionOrder, SessionServices } from "./session-carrier.ts";
import { SessionClock } from "./session-clock.ts";
import { SessionPublish, type SessionPublishOwner } from "./session-publish.ts";
import { type SessionSubscribeOwner, takeSubscribe, takeUnsubscribe } from "./session-subscribe.ts";
import type { Subscribers } from "./subscriptions.ts";
import { Uplink, type UplinkOwner } from "./uplink.ts";

export class LiveSession
  implements
    UplinkOwner,
    DownlinkOwner,
    ReauthenticationOwner,
    AttachmentsOwner,
    SessionPublishOwner,
    SessionSubscribeOwner
{
  readonly version: ProtocolVersion;
  readonly deviceInTopics: string;
  readonly #downlinkWindowMax: number;
  readonly clientPacketBytesMax: number;
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
  readonly #deviceLog: DeviceLog;
  #user: TopicUser;
  readonly #publish: SessionPublish;
  readonly #notes: ActivityNotes;
  readonly #clock: SessionClock;
  #principal: DevicePrincipal;
  readonly #askedSessionExpirySeconds: number;
  #isClosed = false;

  constructor(ports: EnginePorts, services: SessionServices, carrier: SessionCarrier, order: SessionOrder) {
    const { request, principal, link, terms } = order;
    this.#ports = ports;
    this.#carrier = carrier;
    this.#principal = principal;
    this.#clock = new SessionClock(ports.clock, carrier, terms.keepAliveMillis);
    this.version = request.version;
    // A Topic Name cannot hold a `+`, a device id can: such a device has its numId there.
    const { device: calledItself } = request.deviceName;
    this.deviceInTopics = calledItself.includes("+") ? principal.deviceNumId : calledItself;
    this.#downlinkWindowMax = Math.min(downlinkWindowMax, request.receiveMaximum);
    this.clientPacketBytesMax = request.packetBytesMax;
    this.wantsProblemInformation = request.wantsProblemInformation;
    this.#askedSessionExpirySeconds = request.sessionExpirySeconds;
    this.sessionExpirySeconds = terms.sessionExpirySeconds;
    const device = { ...principal.registry, device: principal.deviceId };
    this.kept = terms.isKept ? new KeptSessionWriter(ports, device, terms.sessionExpirySeconds) : undefined;
    this.connectedMs = Math.floor(ports.clock.wallSeconds() * 1000);
    this.#user = userOf(principal);
    this.#notes = new ActivityNotes(ports, device);
    const { clock, random, observer, registry } = ports;
    const { admission, intake, heldTotal, load, rates, deviceLog } = services;
    this.#deviceLog = deviceLog;
    this.uplink = new Uplink({ clock, random, observer, intake, heldTotal, load, rates, deviceLog }, this);
    this.downlink = new Downlink({ clock, registry, observer, deviceLog }, this);
    const { method, token, deviceName, ownAgent } = request;
    this.#reauthentication =
      method === undefined
        ? undefined
        : new Reauthentication({ clock, admission, registry, observer }, this, {
            ...{ method, token, deviceName, ownAgent, link },
          });
    this.#attachments =
      principal.gatewayAuthMethod === undefined ? undefined : new Attachments(services, this, link);
    const { uplink } = this;
    this.#publish = new SessionPublish({ uplink, rates, attachments: this.#attachments }, this, this.#user);
    this.#clock.setDeadline(principal);
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

  get admittedMillis(): number {
    return this.#clock.admittedMillis;
  }

  /** Monotonic time at which the session's right ends. */
  get deadlineMillis(): number {
    return this.#clock.deadlineMillis;
  }

  /** Wall time at which the session ends at the latest. */
  get deadlineSeconds(): number {
    return this.#clock.deadlineSeconds;
  }

  /** Whether packets may be read now. */
  get mayRead(): boolean {
    const isWaiting = this.uplink.isBlocked || this.#attachments?.isJudging === true;
    return !isWaiting && !this.#clock.isDraining;
  }

  /** When something is to be done at the latest; monotonic. */
  get dueMillis(): number {
    return Math.min(
      this.#clock.dueMillis,
      this.uplink.dueMillis,
      this.uplink.pacedUntilMillis,
      this.downlink.dueMillis,
      this.#attachments?.dueMillis ?? Number.POSITIVE_INFINITY,
      this.#notes.dueMillis,
    );
  }

  /** Does what is due. */
  wake(nowMillis: number): void {
    const due = this.#clock.findDue(nowMillis);
    if (due !== undefined) {
      if (due === "drain") this.#drain();
      else this.#carrier.end(due);
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
    const silence = this.#clock.findSilence(nowMillis);
    if (silence !== undefined) {
      this.#carrier.end(silence);
      return;
    }
    this.downlink.expire(nowMillis);
    this.#attachments?.wake(nowMillis);
    if (nowMillis >= this.#notes.dueMillis) this.#notes.tell(nowMillis);
  }

  take(packet: ClientPacket): void {
    switch (packet.type) {
      case "publish":
        this.#publish.take(packet);
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
      case "subscribe":
        takeSubscribe(packet, this.#subscribers, this.#deviceLog, this);
        return;
      case "unsubscribe":
        takeUnsubscribe(packet, this.#subscribers, this);
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
    this.#clock.setDeadline(this.#principal);
    this.#carrier.reschedule();
  }

  /** A token was verified in this session: what it gives holds from now on, its rights and its deadline. */
  renewed(principal: DevicePrincipal): void {
    const keyChanged = principal.keyFingerprint !== this.#principal.keyFingerprint;
    this.#principal = principal;
    if (keyChanged) this.#save();
    this.#user = userOf(principal);
    this.#publish.changeUser(this.#user);
    this.#notes.noteKey(principal.keyId);
    this.#clock.setDeadline(this.#principal);
    this.#carrier.reschedule();
  }

  /** The bridge believes another time than before: the deadline is worked out again. */
  rederive(): void {
    this.#clock.setDeadline(this.#principal);
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
    this.#clock.drainAt(atMillis);
    this.#carrier.reschedule();
  }

  #drain(): void {
    if (this.uplink.unacknowledged === 0) {
      this.#carrier.end("shutting_down");
      return;
    }
    this.#clock.startDrain();
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

  // ── What its parts ask ──────────────────────────────────────────────────────────────────────

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
    if (this.#clock.isDraining && this.uplink.unacknowledged === 0) this.#carrier.end("shutting_down");
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

  whenSaved(then: (isDurable: boolean) => void): void {
    if (this.kept === undefined) {
      then(true);
      return;
    }
    this.#save().then((isDurable) => {
      if (!this.#isClosed) then(isDurable);
    });
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  /** @returns whether what the client is told of its subscriptions will hold. */
  async #save(isNew = false): Promise<boolean> {
    const { keyFingerprint } = this.#principal;
    const subscriptions = this.downlink.keptSubscriptions;
    return (await this.kept?.save({ keyFingerprint, subscriptions }, isNew)) ?? true;
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

  get #subscribers(): Subscribers {
    const { version, downlink } = this;
    return { user: this.#user, version, downlink, attachments: this.#attachments };
  }
}

function userOf(principal: DevicePrincipal): TopicUser {
  return {
    names: [principal.deviceId, principal.deviceNumId],
    isGateway: principal.gatewayAuthMethod !== undefined,
    isAttached: () => false,
  };
}
