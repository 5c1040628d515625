/**
 * The devices attached to one gateway's connection: attach, detach, and what the gateway sends and asks for them.
 *
 * An error that concerns one device is that device's: it is told on the gateway's errors topic, it may cost the device
 * its attachment, and the gateway's connection goes on. While an attach is judged nothing more is read from the
 * connection, so whatever the gateway sent right behind it finds the device attached, or finds out that it is not. The
 * PUBACK means attached.
 *
 * An MQTT 5.0 PUBLISH that comes to nothing is answered by a PUBACK with its Reason Code. 3.1.1 has none (ADR 0021): an
 * attach that failed has no PUBACK; a message that cannot be stored has one only behind the error that says so.
 *
 * Left to others: the judgement (`attach-trial.ts`), one device (`attached-device.ts`), all gateways
 * (`attachment-table.ts`).
 */
import { eventsTopic, type SubscribeFilter, stateTopic } from "@mayfly/core";
import { type PublishPacket, reasonCode } from "@mayfly/core/mqtt";
import type { Admission, DevicePrincipal } from "../auth/admission.ts";
import type { Alarm } from "../time/alarm.ts";
import { readAttach } from "./attach-request.ts";
import { type AttachOutcome, judgeAttach } from "./attach-trial.ts";
import { AttachedDevice, type AttachedHome, type AttachedState } from "./attached-device.ts";
import type { AttachmentTable } from "./attachment-table.ts";
import type { EnginePorts } from "./bridge.ts";
import { type DetachReason, detachReasonForBoth } from "./detach-reason.ts";
import type { Downlink } from "./downlink.ts";
import type { DownlinkWindow } from "./downlink-window.ts";
import {
  type ErrantPacket,
  type GatewayError,
  GatewayErrors,
  type GatewayErrorsOwner,
} from "./gateway-errors.ts";
import { attachedMax, attachTimeoutMillis } from "./limits.ts";
import type { AttachRefusal, LinkFacts } from "./observer.ts";
import type { ForOther } from "./publish-topics.ts";
import type { Message, SenderFailure } from "./uplink.ts";

export interface AttachmentServices {
  readonly ports: EnginePorts;
  readonly admission: Admission;
  readonly alarm: Alarm;
  readonly attachments: AttachmentTable;
}

/** What it asks of the gateway's session. */
export interface AttachmentsOwner extends GatewayErrorsOwner {
  readonly principal: DevicePrincipal;
  readonly window: DownlinkWindow;
  readonly openWindow: DownlinkWindow | undefined;
  /** Grows with each change of the registry. */
  readonly changesSeen: number;
  /** Answers a PUBLISH at QoS 1, behind those before it. */
  answer(packetIdentifier: number, reasonCode: number): void;
  /** Reading may go on, or a new due time is to be set. */
  attachmentsMoved(): void;
}

/** What another connection of the gateway goes on with. */
export interface AttachmentsState {
  readonly hearsErrors: boolean;
  readonly devices: readonly AttachedState[];
}

type Judging = { readonly packet: ErrantPacket; readonly device: string; readonly dueMillis: number };

export class Attachments implements AttachedHome {
  readonly errors: GatewayErrors;
  readonly #services: AttachmentServices;
  readonly #owner: AttachmentsOwner;
  readonly #link: LinkFacts;
  readonly #byId = new Map<string, AttachedDevice>();
  readonly #byNumId = new Map<string, AttachedDevice>();
  /** Those that wait for room in the window, each once. */
  #waiting = new Set<AttachedDevice>();
  #judging: Judging | undefined;

  constructor(services: AttachmentServices, owner: AttachmentsOwner, link: LinkFacts) {
    this.#services = services;
    this.#owner = owner;
    this.#link = link;
    this.errors = new GatewayErrors(owner, services.ports.observer);
  }

  /** Whether an attach is being judged, and nothing may be read. */
  get isJudging(): boolean {
    return this.#judging !== undefined;
  }

  /** When an attach has waited long enough; infinite while none does. */
  get dueMillis(): number {
    return this.#judging?.dueMillis ?? Number.POSITIVE_INFINITY;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** @param device string id or numId. */
  find(device: string): AttachedDevice | undefined {
    return this.#byId.get(device) ?? this.#byNumId.get(device);
  }

  wake(nowMillis: number): void {
    const judging = this.#judging;
    if (judging === undefined || nowMillis < judging.dueMillis) return;
    this.#judging = undefined;
    this.#refuse("attach_timeout", judging.device, judging.packet);
    this.#owner.attachmentsMoved();
  }

  /**
   * A PUBLISH on the topic of another device than the gateway itself. Events and state of an attached one are for the
   * caller to take.
   */
  publish(packet: PublishPacket, meaning: ForOther): void {
    const { device } = meaning;
    const errant = errantOf(packet);
    switch (meaning.kind) {
      case "attach":
        this.#attach(device, packet, errant);
        return;
      case "detach":
        this.#detachAsked(device, errant);
        return;
      case "events":
      case "state":
        this.#answerError(notAttached(device, errant), reasonCode.notAuthorized);
        return;
      case "no_topic": {
        const attached = this.find(device);
        if (attached === undefined) {
          this.#answerError(notAttached(device, errant), reasonCode.notAuthorized);
          return;
        }
        const description = "There is no such topic to publish to.";
        const error = { type: "GATEWAY_INVALID_MQTT_TOPIC", description, device, packet: errant } as const;
        this.#answerError(error, reasonCode.topicNameInvalid);
        this.detach(attached, "topic_invalid");
      }
    }
  }

  /** A message of an attached device is above what it may have, or comes too soon. */
  refuse(device: AttachedDevice, because: SenderFailure, message: Message): void {
    const { packetIdentifier } = message;
    const code = this.failed(device, because, message);
    if (packetIdentifier !== undefined && code !== undefined) this.#owner.answer(packetIdentifier, code);
  }

  /** Whose lane a subscription is in; undefined, and told, where that device is not attached. */
  findSubscriber({ device }: SubscribeFilter, topicFilter: string): Downlink | undefined {
    const attached = this.find(device);
    if (attached === undefined) {
      const packet = { type: "SUBSCRIBE", topic: topicFilter, packetIdentifier: undefined } as const;
      this.#tell(notAttached(device, packet));
    }
    return attached?.downlink;
  }

  /** A PUBACK made room: who waited for it goes on, in the order of waiting. */
  windowOpened(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const device of waiting) {
      if (this.openWindow?.isFull === true) this.#waiting.add(device);
      else device.downlink.windowOpened();
    }
  }

  /** What the gateway itself must show for its devices may have changed. */
  askAgain(): void {
    for (const device of this.#byId.values()) this.#services.attachments.askAgain(device);
  }

  /** Another connection of the gateway goes on with all of them. */
  handOver(): AttachmentsState {
    const devices = [...this.#byId.values()].map((device) => {
      this.#forget(device);
      return device.handOver();
    });
    return { hearsErrors: this.errors.isSubscribed, devices };
  }

  /**
   * A Session goes on: with what another connection handed over, or with nobody attached. A gateway that had no
   * connection meanwhile hears its errors all the same; whether it had subscribed to them is not kept.
   */
  goOn(state: AttachmentsState | undefined): void {
    this.errors.isSubscribed = state?.hearsErrors ?? true;
    this.#takeOver(state?.devices ?? []);
  }

  #takeOver(devices: readonly AttachedState[]): void {
    for (const state of devices) {
      const device = new AttachedDevice(this.#services, this, state);
      this.#keep(device);
      this.#services.attachments.enter(device);
      device.downlink.takeOver(state.downlink);
    }
  }

  /** The connection is over, and with it every attachment. */
  close(): void {
    this.#judging = undefined;
    this.errors.isSubscribed = false;
    for (const device of [...this.#byId.values()]) this.#end(device, "connection_ended");
  }

  // ── What its devices ask ──────────────────────────────────────────────────────────────────────────────

  get gateway(): DevicePrincipal {
    return this.#owner.principal;
  }

  get version(): AttachmentsOwner["version"] {
    return this.#owner.version;
  }

  get clientPacketBytesMax(): number {
    return this.#owner.clientPacketBytesMax;
  }

  get isOutgoingFull(): boolean {
    return this.#owner.isOutgoingFull;
  }

  get window(): DownlinkWindow {
    return this.#owner.window;
  }

  get openWindow(): DownlinkWindow | undefined {
    return this.#owner.openWindow;
  }

  queue(bytes: Uint8Array): void {
    this.#owner.queue(bytes);
  }

  waitsForWindow(device: AttachedDevice): void {
    this.#waiting.add(device);
  }

  detach(device: AttachedDevice, because: DetachReason): void {
    if (this.#byId.get(device.principal.deviceId) !== device) return;
    this.#end(device, because);
    const reason = detachReasonForBoth(because);
    if (reason === undefined) return;
    const description = `Device detached because of a device error: ${reason.description}.`;
    this.#tell({ type: "GATEWAY_DETACHMENT_DEVICE_ERROR", description, device: device.deviceInTopics });
    this.#owner.attachmentsMoved();
  }

  failed(device: AttachedDevice, because: SenderFailure, message: Message): number | undefined {
    const name = device.deviceInTopics;
    const { kind, subfolder, packetIdentifier } = message;
    const topic = kind === "state" ? stateTopic(name) : eventsTopic(name, subfolder);
    const packet = { type: "PUBLISH", topic, packetIdentifier } as const;
    if (because === "payload_too_large" || because === "rate_exceeded") {
      const description = excessDescriptions[because];
      const isTold = this.#tell({ type: "UNKNOWN", description, device: name, packet });
      this.detach(device, because);
      return this.#codeOf(isTold, reasonCode.quotaExceeded);
    }
    const code = this.#codeOf(this.#tell(notAttached(name, packet)), reasonCode.notAuthorized);
    if (because === "device_gone") this.detach(device, "device_deleted");
    return code;
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  #attach(device: string, { payload }: PublishPacket, packet: ErrantPacket): void {
    const { ports, admission, attachments } = this.#services;
    const { principal: gateway, changesSeen } = this.#owner;
    const nowMillis = ports.clock.monotonicMillis();
    const token = readAttach(payload);
    if (token === undefined) {
      this.#refuse("attach_malformed", device, packet);
    } else if (this.size >= attachedMax && this.find(device) === undefined) {
      this.#refuse("too_many_attached", device, packet);
    } else if (!attachments.limits.mayAttach(gateway.deviceNumId, nowMillis)) {
      this.#refuse("attaches_too_often", device, packet);
    } else {
      const judging = { device, packet, dueMillis: nowMillis + attachTimeoutMillis };
      this.#judging = judging;
      const request = { gateway, device, token, link: this.#link };
      judgeAttach({ admission, registry: ports.registry }, request, (outcome) => {
        // It may have waited too long, or the connection may be over.
        if (this.#judging !== judging) return;
        this.#judging = undefined;
        this.#decided(outcome, judging, changesSeen);
        this.#owner.attachmentsMoved();
      });
      if (this.isJudging) this.#owner.attachmentsMoved();
    }
  }

  #decided(outcome: AttachOutcome, { device: name, packet }: Judging, changesSeen: number): void {
    const { ports, attachments } = this.#services;
    const gateway = this.#owner.principal;
    if (outcome.kind === "refused") {
      const { because, error } = outcome;
      if (because !== "registry_unavailable") {
        attachments.limits.failed(gateway.deviceNumId, ports.clock.monotonicMillis());
      }
      this.#refuse(because, name, packet, error);
      return;
    }
    const { principal } = outcome;
    const known = this.#byId.get(principal.deviceId);
    // The same name with another numId is another device: the one that was attached is gone.
    const isRenewal = known?.principal.deviceNumId === principal.deviceNumId;
    if (known !== undefined && !isRenewal) this.detach(known, "device_deleted");
    if (known !== undefined && isRenewal) known.renew(principal);
    else this.#enter(new AttachedDevice(this.#services, this, { deviceInTopics: name, principal }));
    ports.observer.attached({ principal, gateway, isRenewal, link: this.#link });
    // The registry changed between question and answer: which of both was first is unknown.
    const attached = this.#byId.get(principal.deviceId);
    if (attached !== undefined && changesSeen !== this.#owner.changesSeen) attachments.askAgain(attached);
    if (packet.packetIdentifier !== undefined) {
      this.#owner.answer(packet.packetIdentifier, reasonCode.success);
    }
  }

  #enter(device: AttachedDevice): void {
    this.#keep(device);
    this.#services.attachments.attached(device);
  }

  #keep(device: AttachedDevice): void {
    this.#byId.set(device.principal.deviceId, device);
    this.#byNumId.set(device.principal.deviceNumId, device);
  }

  #forget(device: AttachedDevice): void {
    this.#byId.delete(device.principal.deviceId);
    this.#byNumId.delete(device.principal.deviceNumId);
    this.#waiting.delete(device);
    this.#services.attachments.leave(device);
  }

  #end(device: AttachedDevice, because: DetachReason): void {
    this.#forget(device);
    device.close(because);
    const { principal } = device;
    const { observer } = this.#services.ports;
    observer.detached({ principal, gateway: this.#owner.principal, because, link: this.#link });
  }

  #detachAsked(device: string, packet: ErrantPacket): void {
    const attached = this.find(device);
    // Detaching what is not attached is done already, and nothing anybody need hear of.
    if (attached !== undefined) this.#end(attached, "asked");
    if (packet.packetIdentifier !== undefined)
      this.#owner.answer(packet.packetIdentifier, reasonCode.success);
  }

  #refuse(
    because: AttachRefusal,
    device: string,
    packet: ErrantPacket,
    token?: Extract<AttachOutcome, { kind: "refused" }>["error"],
  ): void {
    const gateway = this.#owner.principal;
    const named = token === undefined ? {} : { code: token.code };
    this.#services.ports.observer.attachRefused({ because, device, gateway, ...named, link: this.#link });
    const { description, code } = refusalForGateway(because, token?.code);
    this.#tell({ type: "GATEWAY_ATTACHMENT_ERROR", description, device, packet });
    // PUBACK is for "attached"; 3.1.1 has no other.
    if (packet.packetIdentifier !== undefined && this.#owner.version === 5) {
      this.#owner.answer(packet.packetIdentifier, code);
    }
  }

  #answerError(error: GatewayError, code: number): void {
    const packetIdentifier = error.packet?.packetIdentifier;
    const told = this.#codeOf(this.#tell(error), code);
    if (packetIdentifier !== undefined && told !== undefined) this.#owner.answer(packetIdentifier, told);
  }

  /** What the PUBACK of a message says that was not taken: its sender lost nothing without hearing of it. */
  #codeOf(isTold: boolean, code: number): number | undefined {
    if (this.#owner.version === 5) return code;
    return isTold ? reasonCode.success : undefined;
  }

  #tell(error: GatewayError): boolean {
    return this.errors.tell(error, this.#services.ports.clock.monotonicMillis());
  }
}

const excessDescriptions = {
  payload_too_large: "The message is too large.",
  rate_exceeded: "The device sends more than it may in a second.",
} as const satisfies Partial<Record<SenderFailure, string>>;

function errantOf({ topic, packetIdentifier }: PublishPacket): ErrantPacket {
  return { type: "PUBLISH", topic, packetIdentifier };
}

function notAttached(device: string, packet: ErrantPacket): GatewayError {
  const description = `The specified device with ID '${device}' is not attached to the gateway.`;
  return { type: "GATEWAY_DEVICE_NOT_FOUND", description, device, packet };
}

/**
 * What a gateway may know of why a device was not attached. Of the device it hears no more than a stranger: whether it
 * exists, is blocked or has another key looks the same, but for the clock's faults.
 */
function refusalForGateway(
  because: AttachRefusal,
  token: string | undefined,
): { readonly description: string; readonly code: number } {
  switch (because) {
    case "attach_malformed":
      return {
        description: "The payload of an attach is empty, or a JSON object with a text 'authorization'.",
        code: reasonCode.payloadFormatInvalid,
      };
    case "too_many_attached":
      return { description: "As many devices as may be are attached.", code: reasonCode.quotaExceeded };
    case "attaches_too_often":
      return { description: "The gateway attaches too often.", code: reasonCode.quotaExceeded };
    case "registry_unavailable":
    case "attach_timeout":
      return { description: "The registry cannot be read now.", code: reasonCode.unspecifiedError };
    case "method_unspecified":
    case "not_gateway":
      return { description: "No device may attach to this gateway.", code: reasonCode.notAuthorized };
    case "association_alone_refused":
      return {
        description: "The registry takes no device that shows no token.",
        code: reasonCode.notAuthorized,
      };
    case "token_missing":
      return {
        description: "The device's authorization token is missing.",
        code: reasonCode.notAuthorized,
      };
    case "token_refused":
      if (token === "token_expired" || token === "token_from_future") {
        return { description: `The device is not authorized: ${token}.`, code: reasonCode.notAuthorized };
      }
  }
  return { description: "The device is not authorized to attach.", code: reasonCode.notAuthorized };
}
