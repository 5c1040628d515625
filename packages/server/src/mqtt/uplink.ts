/**
 * Uplink: from a PUBLISH to its PUBACK.
 *
 * A PUBACK leaves when the message is durable, and never before one that came earlier: the answers of the
 * store may come in any order, the acknowledgements wait in a queue of at most 20. What a 3.1.1 client sends
 * beyond that (it knows no Receive Maximum) is decoded and held, up to 64 KiB; then reading stops. So PINGREQ,
 * PUBACK and DISCONNECT behind waiting PUBLISHes are still served within that bound.
 *
 * What all connections have in flight together is bounded too (`load.ts`): near the bound QoS 0 is dropped, and
 * QoS 1 is held as if this connection's own window were full.
 *
 * A device over the messages or bytes a second that its policy allows is paced: QoS 1 is held as if the window were
 * full, until its allowance has filled again; QoS 0 is dropped.
 *
 * When the store refuses, the PUBACK is withheld, and with it all later ones; nothing more is taken, and
 * after a bounded wait the connection ends. A negative PUBACK would mean "do not send this again".
 */
import type { Clock, Random } from "@mayfly/core";
import { reasonCode } from "@mayfly/core/mqtt";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import type { Intake, IntakeOutcome } from "../telemetry/intake.ts";
import type { CloseReason } from "./close-reason.ts";
import {
  busyReceiveMaximum,
  heldBytesMax,
  heldBytesTotalMax,
  heldOverheadBytes,
  qos0InFlightMax,
  receiveMaximum,
  storeWaitMillis,
} from "./limits.ts";
import type { Load, LoadWaiter } from "./load.ts";
import type { BridgeObserver } from "./observer.ts";

/** A PUBLISH whose topic was found to be the device's, or that of one attached to it. */
export interface Message {
  readonly kind: "events" | "state";
  /** Absent: the connection's own device. */
  readonly sender?: AttachedSender;
  readonly subfolder: string;
  /** Undefined at QoS 0. */
  readonly packetIdentifier: number | undefined;
  /** A view that does not last; copied when held. */
  readonly payload: Uint8Array;
  readonly deviceMessageId: string | undefined;
}

/** A PUBLISH at QoS 1 that is decided already and only waits for its turn to be answered. */
interface Decided {
  readonly kind: "decided";
  readonly packetIdentifier: number;
  readonly reasonCode: number;
  readonly payload: Uint8Array;
}

type Arrival = Message | Decided;

/** A device attached to the connection's gateway, as far as what it sends is concerned. */
export interface AttachedSender {
  readonly principal: DevicePrincipal;
  /** Device id of the gateway. */
  readonly gatewayId: string;
  /** Its right may have ended while what it sent was held. */
  readonly mayStillSend: boolean;
  noteActivity(what: "eventMs" | "stateMs"): void;
  /**
   * What it sent will never be stored, which is its own affair and not the gateway's.
   * @returns the Reason Code of the PUBACK; undefined where none may leave.
   */
  failed(because: SenderFailure, message: Message): number | undefined;
}

export type SenderFailure = "not_attached" | "device_gone" | "payload_too_large" | "rate_exceeded";

export interface UplinkPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly intake: Intake;
  readonly observer: BridgeObserver;
  /** Shared by all connections of the bridge. */
  readonly heldTotal: HeldTotal;
  readonly load: Load;
  readonly rates: DeviceRates;
}

/** Bytes held by all connections together. */
export interface HeldTotal {
  bytes: number;
}

/** What the uplink asks of its connection. */
export interface UplinkOwner {
  readonly principal: DevicePrincipal;
  /** Does the client know our Receive Maximum (MQTT 5)? */
  readonly knowsReceiveMaximum: boolean;
  queuePuback(packetIdentifier: number, reasonCode: number): void;
  noteActivity(what: "eventMs" | "stateMs"): void;
  /** There is room again, or a new due time. */
  uplinkMoved(): void;
  end(because: CloseReason): void;
}

/**
 * Is it held back where its device is over its rate? An attached device's was counted when it came: it would hold up
 * what comes from all the others.
 */
function isPaced(arrival: Arrival): boolean {
  return arrival.kind !== "decided" && arrival.sender === undefined;
}

const nothing = new Uint8Array(0);

interface Pending {
  readonly kind: Arrival["kind"];
  readonly packetIdentifier: number;
  readonly takenMillis: number;
  /** Success when it is durable; undefined until it is known. */
  reasonCode: number | undefined;
}

export class Uplink implements LoadWaiter {
  readonly #ports: UplinkPorts;
  readonly #owner: UplinkOwner;
  /** QoS 1 in order of arrival, first to be acknowledged first. */
  readonly #pending: Pending[] = [];
  readonly #held: Arrival[] = [];
  #heldBytes = 0;
  #heldQos1 = 0;
  #qos0InFlight = 0;
  #stallEndsMillis = Number.POSITIVE_INFINITY;
  #pacedUntilMillis = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(ports: UplinkPorts, owner: UplinkOwner) {
    this.#ports = ports;
    this.#owner = owner;
  }

  /** PUBLISHes at QoS 1 taken, held ones not counted. */
  get unacknowledged(): number {
    return this.#pending.length;
  }

  /** PUBLISHes decoded and held back. */
  get held(): number {
    return this.#held.length;
  }

  /** Whether no more may be decoded now. */
  get isBlocked(): boolean {
    if (this.#heldBytes >= heldBytesMax) return true;
    return this.#held.length > 0 && this.#ports.heldTotal.bytes >= heldBytesTotalMax;
  }

  /** When a refused message ends the connection; infinite while none is. */
  get dueMillis(): number {
    return this.#stallEndsMillis;
  }

  /** Answers a PUBLISH that is no message to store, behind those that came before it. */
  answer(packetIdentifier: number, reasonCode: number): void {
    this.take({ kind: "decided", packetIdentifier, reasonCode, payload: nothing });
  }

  /** When {@link goOn} is to be called; infinite while the device's rate holds nothing back. */
  get pacedUntilMillis(): number {
    return this.#pacedUntilMillis;
  }

  take(arrival: Arrival): void {
    const isQos1 = arrival.packetIdentifier !== undefined;
    if (!isQos1 && this.#ports.load.level !== "normal") {
      this.#ports.observer.notStored({ qos: 0, because: "overloaded" });
      return;
    }
    if (!isQos1 && this.#waitMillis(arrival) > 0) {
      this.#ports.observer.notStored({ qos: 0, because: "rate_limited" });
      return;
    }
    const owed = this.#pending.length + this.#heldQos1;
    if (isQos1 && this.#owner.knowsReceiveMaximum && owed >= receiveMaximum) {
      this.#owner.end("receive_maximum_exceeded");
    } else if (this.#held.length > 0 || !this.#mayGo(arrival)) {
      this.#hold(arrival);
    } else {
      this.#submit(arrival);
    }
  }

  /** The client said goodbye: what it sent before is still taken, though nobody waits for the answer. */
  takeHeld(): void {
    this.#countHeld(-this.#heldBytes);
    this.#heldQos1 = 0;
    for (const arrival of this.#held.splice(0)) {
      if (arrival.packetIdentifier !== undefined && isPaced(arrival)) {
        this.#ports.rates.chargeMessage(this.#owner.principal, arrival.payload.length);
      }
      this.#submit(arrival);
    }
  }

  /** Answers that come from now on are not for this connection. */
  close(): void {
    this.#isClosed = true;
    this.#ports.load.forget(this);
    this.#held.length = 0;
    this.#countHeld(-this.#heldBytes);
  }

  /** The device's allowance has filled again. */
  goOn(): void {
    this.#pacedUntilMillis = Number.POSITIVE_INFINITY;
    this.loadEased();
  }

  /** The process has room again. */
  loadEased(): void {
    if (this.#isClosed) return;
    this.#submitHeld();
    this.#owner.uplinkMoved();
  }

  #countHeld(bytes: number): void {
    this.#heldBytes += bytes;
    this.#ports.heldTotal.bytes += bytes;
  }

  #hasRoomFor(arrival: Arrival): boolean {
    if (this.#stallEndsMillis !== Number.POSITIVE_INFINITY) return false;
    if (arrival.packetIdentifier === undefined) return this.#qos0InFlight < qos0InFlightMax;
    switch (this.#ports.load.level) {
      case "normal":
        return this.#pending.length < receiveMaximum;
      case "high":
        return this.#pending.length < busyReceiveMaximum;
      case "full":
        return false;
    }
  }

  /** @returns whether it may be submitted now; then it counts against the device's rate. QoS 0 was counted when it came. */
  #mayGo(arrival: Arrival): boolean {
    if (!this.#hasRoomFor(arrival)) return false;
    if (arrival.packetIdentifier === undefined || !isPaced(arrival)) return true;
    if (this.#pacedUntilMillis !== Number.POSITIVE_INFINITY) return false;
    const waitMillis = this.#waitMillis(arrival);
    if (waitMillis > 0) this.#pacedUntilMillis = this.#ports.clock.monotonicMillis() + waitMillis;
    return waitMillis === 0;
  }

  /** 0: it is counted against its device's rate. */
  #waitMillis(arrival: Arrival): number {
    const sender = arrival.kind === "decided" ? undefined : arrival.sender;
    const { principal } = sender ?? this.#owner;
    return this.#ports.rates.takeMessage(principal, arrival.payload.length);
  }

  #hold(arrival: Arrival): void {
    this.#held.push({ ...arrival, payload: arrival.payload.slice() });
    this.#countHeld(arrival.payload.length + heldOverheadBytes);
    if (arrival.packetIdentifier !== undefined) this.#heldQos1 += 1;
    this.#waitForLoad();
  }

  /** An answer to a message of ours lets the held ones move; where there is none to come, the clock or the process must. */
  #waitForLoad(): void {
    if (this.#pacedUntilMillis !== Number.POSITIVE_INFINITY) return;
    if (this.#pending.length === 0 && this.#qos0InFlight === 0) this.#ports.load.wait(this);
  }

  #submitHeld(): void {
    for (;;) {
      const next = this.#held[0];
      if (next === undefined) return;
      if (!this.#mayGo(next)) {
        this.#waitForLoad();
        return;
      }
      this.#held.shift();
      this.#countHeld(-(next.payload.length + heldOverheadBytes));
      if (next.packetIdentifier !== undefined) this.#heldQos1 -= 1;
      this.#submit(next);
    }
  }

  #submit(arrival: Arrival): void {
    if (arrival.kind === "decided") {
      const { kind, packetIdentifier, reasonCode } = arrival;
      const takenMillis = this.#ports.clock.monotonicMillis();
      this.#pending.push({ kind, packetIdentifier, takenMillis, reasonCode });
      this.#acknowledgeInOrder();
    } else if (arrival.sender?.mayStillSend === false) {
      const { packetIdentifier } = arrival;
      const reasonCode = arrival.sender.failed("not_attached", arrival);
      if (packetIdentifier === undefined || reasonCode === undefined) return;
      this.#submit({ kind: "decided", packetIdentifier, reasonCode, payload: nothing });
    } else {
      this.#submitMessage(arrival);
    }
  }

  #submitMessage(message: Message): void {
    const { kind, packetIdentifier, payload, sender } = message;
    const { clock, intake, observer, load } = this.#ports;
    const payloadBytes = payload.length;
    const qos = packetIdentifier === undefined ? 0 : 1;
    let pending: Pending | undefined;
    if (packetIdentifier === undefined) {
      this.#qos0InFlight += 1;
    } else {
      pending = { kind, packetIdentifier, takenMillis: clock.monotonicMillis(), reasonCode: undefined };
      this.#pending.push(pending);
    }
    observer.published({ kind, qos, payloadBytes });
    load.add(payloadBytes);
    const answered = (outcome: IntakeOutcome) => {
      load.remove(payloadBytes);
      this.#answered(message, pending, outcome);
    };
    const principal = sender?.principal ?? this.#owner.principal;
    if (kind === "state") {
      intake.takeState(principal, payload, answered, sender?.gatewayId);
    } else {
      const { subfolder, deviceMessageId } = message;
      const event = {
        subfolder,
        payload,
        ...(deviceMessageId === undefined ? undefined : { deviceMessageId }),
        ...(sender === undefined ? undefined : { gatewayId: sender.gatewayId }),
      };
      intake.takeEvent(principal, event, answered);
    }
  }

  #answered(message: Message, pending: Pending | undefined, outcome: IntakeOutcome): void {
    const { kind, sender } = message;
    if (outcome.kind === "refused") {
      this.#ports.observer.notStored({ qos: pending === undefined ? 0 : 1, because: outcome.because });
    }
    if (this.#isClosed) return;
    if (pending === undefined) this.#qos0InFlight -= 1;
    if (outcome.kind === "refused") {
      this.#refused(message, pending, outcome.because);
    } else {
      (sender ?? this.#owner).noteActivity(kind === "events" ? "eventMs" : "stateMs");
      if (pending !== undefined) {
        pending.reasonCode = reasonCode.success;
        this.#acknowledgeInOrder();
      }
    }
    if (this.#isClosed) return;
    if (this.#held.length > 0) this.#submitHeld();
    this.#owner.uplinkMoved();
  }

  #acknowledgeInOrder(): void {
    const nowMillis = this.#ports.clock.monotonicMillis();
    for (;;) {
      const first = this.#pending[0];
      if (first?.reasonCode === undefined) return;
      this.#pending.shift();
      this.#owner.queuePuback(first.packetIdentifier, first.reasonCode);
      const { kind } = first;
      if (kind === "decided" || first.reasonCode !== reasonCode.success) continue;
      this.#ports.observer.acknowledged({ kind, millis: nowMillis - first.takenMillis });
    }
  }

  #refused(
    message: Message,
    pending: Pending | undefined,
    because: Extract<IntakeOutcome, { kind: "refused" }>["because"],
  ): void {
    const { sender } = message;
    if (sender !== undefined && (because === "device_gone" || because === "payload_too_large")) {
      this.#failed(pending, sender.failed(because, message));
      return;
    }
    if (because === "device_gone") {
      this.#owner.end("device_deleted");
      return;
    }
    if (because === "payload_too_large") {
      this.#owner.end("packet_too_large");
      return;
    }
    if (pending === undefined || this.#stallEndsMillis !== Number.POSITIVE_INFINITY) return;
    const chance = this.#ports.random.fill(new Uint8Array(1))[0] ?? 0;
    this.#stallEndsMillis = this.#ports.clock.monotonicMillis() + storeWaitMillis * (1 + chance / 256);
  }

  /** One message of an attached device's is done with: those behind it go on. */
  #failed(pending: Pending | undefined, code: number | undefined): void {
    if (pending === undefined) return;
    if (code === undefined) this.#pending.splice(this.#pending.indexOf(pending), 1);
    else pending.reasonCode = code;
    this.#acknowledgeInOrder();
  }
}
