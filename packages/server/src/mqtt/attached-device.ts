/**
 * One device attached to a gateway's connection: its right and when it ends, its config and commands, when it was
 * seen.
 *
 * It is to the bridge what a live session is for a device with a connection of its own, less everything that belongs
 * to the connection: that is the gateway's, and the window of messages in flight is shared. Its right is its own,
 * too: a token that expires, a key that is revoked, a binding that is undone end it, and leave the gateway and the
 * others alone.
 *
 * Left to others: how it came to be attached and what its gateway is told (`attachments.ts`), who is attached where
 * (`attachment-table.ts`).
 */
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import { type DevicePrincipal, isOfNoToken } from "../auth/admission.ts";
import { judgeAttachment } from "../auth/attachment.ts";
import { rejudge } from "../auth/rejudgement.ts";
import type { AttachmentRecord } from "../registry/gateway-store.ts";
import type { DeviceRef } from "../registry/model.ts";
import type { LookUp } from "../registry/store.ts";
import type { Alarm, Waiting } from "../time/alarm.ts";
import { ActivityNotes } from "./activity-notes.ts";
import type { EnginePorts } from "./bridge.ts";
import { type DetachReason, detachReasonForBoth } from "./detach-reason.ts";
import { Downlink, type DownlinkOwner, type DownlinkState } from "./downlink.ts";
import type { DownlinkWindow } from "./downlink-window.ts";
import type { AttachedSender, Message, SenderFailure } from "./uplink.ts";

/** The gateway's connection, as its devices see it. */
export interface AttachedHome {
  readonly gateway: DevicePrincipal;
  readonly version: ProtocolVersion;
  readonly clientPacketBytesMax: number;
  readonly isOutgoingFull: boolean;
  readonly window: DownlinkWindow;
  readonly openWindow: DownlinkWindow | undefined;
  queue(bytes: Uint8Array): void;
  /** `device` wants to be told when there is room in the window. */
  waitsForWindow(device: AttachedDevice): void;
  /** What it sent cannot be taken. @returns the Reason Code of the PUBACK; undefined where none may leave. */
  failed(device: AttachedDevice, because: SenderFailure, message: Message): number | undefined;
  /** Its right is over. */
  detach(device: AttachedDevice, because: DetachReason): void;
}

/** What another connection of the same gateway goes on with. */
export interface AttachedState {
  readonly deviceInTopics: string;
  readonly principal: DevicePrincipal;
  readonly downlink: DownlinkState;
}

export class AttachedDevice implements DownlinkOwner, AttachedSender, Waiting {
  dueMillis = 0;
  heapIndex = -1;
  /** As its gateway called it when it attached it: string id or numId. */
  readonly deviceInTopics: string;
  readonly downlink: Downlink;
  readonly kept = undefined;
  readonly #ports: EnginePorts;
  readonly #alarm: Alarm;
  readonly #home: AttachedHome;
  readonly #notes: ActivityNotes;
  #principal: DevicePrincipal;
  #deadlineMillis = 0;
  #isAttached = true;

  constructor(
    services: { readonly ports: EnginePorts; readonly alarm: Alarm },
    home: AttachedHome,
    who: { readonly deviceInTopics: string; readonly principal: DevicePrincipal },
  ) {
    const { ports, alarm } = services;
    const { clock, registry, observer } = ports;
    this.#ports = ports;
    this.#alarm = alarm;
    this.#home = home;
    this.#principal = who.principal;
    this.deviceInTopics = who.deviceInTopics;
    this.#notes = new ActivityNotes(ports, this.#ref());
    this.downlink = new Downlink({ clock, registry, observer }, this);
    this.renew(who.principal);
  }

  get principal(): DevicePrincipal {
    return this.#principal;
  }

  get gatewayId(): string {
    return this.#home.gateway.deviceId;
  }

  get mayStillSend(): boolean {
    return this.#isAttached;
  }

  get version(): ProtocolVersion {
    return this.#home.version;
  }

  get clientPacketBytesMax(): number {
    return this.#home.clientPacketBytesMax;
  }

  get isOutgoingFull(): boolean {
    return this.#home.isOutgoingFull;
  }

  get window(): DownlinkWindow {
    return this.#home.window;
  }

  get openWindow(): DownlinkWindow | undefined {
    return this.#home.openWindow;
  }

  /** It was attached, or attached again: `principal`'s right holds from now on. */
  renew(principal: DevicePrincipal): void {
    this.#principal = principal;
    if (!isOfNoToken(principal)) this.#notes.noteKey(principal.keyId);
    this.#notes.noteGateway(this.gatewayId);
    this.rederive();
  }

  /** The deadline is worked out again: its right is another, or the bridge believes another time. */
  rederive(): void {
    const { clock } = this.#ports;
    const leftMillis = (this.#principal.deadlineSeconds - clock.wallSeconds()) * 1000;
    this.#deadlineMillis = clock.monotonicMillis() + leftMillis;
    this.#reschedule();
  }

  wake(nowMillis: number): void {
    if (nowMillis >= this.#deadlineMillis) {
      this.detach(this.#principal.deadlineBecause);
      return;
    }
    this.downlink.expire(nowMillis);
    if (nowMillis >= this.#notes.dueMillis) this.#notes.tell(nowMillis);
    this.#reschedule();
  }

  /** The registry changed: is it asked anew, does the right still hold? */
  askAgain(): void {
    this.#ports.registry.lookUpAttachment(this.#ref(), this.gatewayId, (record) => {
      if (this.#isAttached) this.#rejudge(record);
    });
  }

  detach(because: DetachReason): void {
    this.#home.detach(this, because);
  }

  /** The last words of an attachment. */
  close(because: DetachReason): void {
    this.#isAttached = false;
    this.#alarm.forget(this);
    this.downlink.close();
    const status = detachReasonForBoth(because);
    if (status !== undefined) {
      const message = `mqtt: SERVER: The device was detached from its gateway: ${status.description}.`;
      this.#notes.noteError({ code: status.code, message });
    }
    this.#notes.tell(this.#ports.clock.monotonicMillis());
  }

  /** Another connection of the gateway goes on with it; here it is over without a word. */
  handOver(): AttachedState {
    const { deviceInTopics, principal } = this;
    const downlink = this.downlink.handOver();
    this.close("connection_ended");
    return { deviceInTopics, principal, downlink };
  }

  // ── What its downlink and the uplink ask ──────────────────────────────────────────────────────────────

  queue(bytes: Uint8Array): void {
    this.#home.queue(bytes);
  }

  noteActivity(what: "eventMs" | "stateMs" | "configSendMs" | "configAckMs"): void {
    this.#notes.note(what);
    if (what === "eventMs" || what === "stateMs") this.#notes.noteGateway(this.gatewayId);
    if (this.#isAttached) this.#reschedule();
    else this.#notes.tell(this.#ports.clock.monotonicMillis());
  }

  downlinkMoved(): void {
    this.#reschedule();
  }

  waitsForWindow(): void {
    this.#home.waitsForWindow(this);
  }

  passOn(): void {
    // Nothing is kept for it beyond its gateway's connection.
  }

  failed(because: SenderFailure, message: Message): number | undefined {
    return this.#home.failed(this, because, message);
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  #rejudge(record: LookUp<AttachmentRecord>): void {
    // The change may have been its blocking: a right that cannot be looked up is not assumed.
    if (record === "unavailable") {
      this.detach("registry_unavailable");
      return;
    }
    const verdict = rejudge(this.#principal, record, this.#ports.clock.wallSeconds(), "mqtt");
    if (verdict.kind === "ends") {
      this.detach(verdict.because);
      return;
    }
    const { principal } = verdict;
    const shown = isOfNoToken(principal) ? undefined : ({ kind: "admitted", principal, keys: [] } as const);
    // The gateway's own standing may be judged again in a later turn; the registry's policy is the same for both.
    const gateway = { ...this.#home.gateway, policy: principal.policy };
    if (judgeAttachment(gateway, record, shown).kind === "refused") {
      this.detach("not_associated");
      return;
    }
    this.#principal = principal;
    this.rederive();
  }

  #reschedule(): void {
    if (!this.#isAttached) return;
    const dueMillis = Math.min(this.#deadlineMillis, this.downlink.dueMillis, this.#notes.dueMillis);
    if (dueMillis !== Number.POSITIVE_INFINITY) this.#alarm.wakeBy(this, dueMillis);
  }

  #ref(): DeviceRef {
    return { ...this.#principal.registry, device: this.#principal.deviceId };
  }
}
