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
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
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

/** A PUBLISH whose topic was found to be the device's. */
export interface Arrival {
  readonly kind: "events" | "state";
  readonly subfolder: string;
  /** Undefined at QoS 0. */
  readonly packetIdentifier: number | undefined;
  /** A view that does not last; copied when held. */
  readonly payload: Uint8Array;
  readonly deviceMessageId: string | undefined;
}

export interface UplinkPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly intake: Intake;
  readonly observer: BridgeObserver;
  /** Shared by all connections of the bridge. */
  readonly heldTotal: HeldTotal;
  readonly load: Load;
  readonly rates: DeviceRates;
  readonly deviceLog: DeviceLog;
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
  queuePuback(packetIdentifier: number): void;
  noteActivity(what: "eventMs" | "stateMs"): void;
  /** There is room again, or a new due time. */
  uplinkMoved(): void;
  end(because: CloseReason): void;
}

interface Pending {
  readonly kind: "events" | "state";
  readonly packetIdentifier: number;
  readonly takenMillis: number;
  isDurable: boolean;
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
    if (!isQos1 && this.#ports.rates.takeMessage(this.#owner.principal, arrival.payload.length) > 0) {
      this.#ports.observer.notStored({ qos: 0, because: "rate_limited" });
      this.#ports.deviceLog.published(this.#owner.principal, "MQTT", arrival.kind, { kind: "rate_limited" });
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
      if (arrival.packetIdentifier !== undefined) {
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
    if (arrival.packetIdentifier === undefined) return true;
    if (this.#pacedUntilMillis !== Number.POSITIVE_INFINITY) return false;
    const waitMillis = this.#ports.rates.takeMessage(this.#owner.principal, arrival.payload.length);
    if (waitMillis > 0) this.#pacedUntilMillis = this.#ports.clock.monotonicMillis() + waitMillis;
    return waitMillis === 0;
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
    const { kind, packetIdentifier, payload } = arrival;
    const { clock, intake, observer, load } = this.#ports;
    const payloadBytes = payload.length;
    const qos = packetIdentifier === undefined ? 0 : 1;
    let pending: Pending | undefined;
    if (packetIdentifier === undefined) {
      this.#qos0InFlight += 1;
    } else {
      pending = { kind, packetIdentifier, takenMillis: clock.monotonicMillis(), isDurable: false };
      this.#pending.push(pending);
    }
    observer.published({ kind, qos, payloadBytes });
    load.add(payloadBytes);
    const answered = (outcome: IntakeOutcome) => {
      load.remove(payloadBytes);
      this.#answered(kind, pending, outcome);
    };
    if (kind === "state") {
      intake.takeState(this.#owner.principal, payload, answered);
    } else {
      const { subfolder, deviceMessageId } = arrival;
      const event = { subfolder, payload, ...(deviceMessageId === undefined ? {} : { deviceMessageId }) };
      intake.takeEvent(this.#owner.principal, event, answered);
    }
  }

  #answered(kind: "events" | "state", pending: Pending | undefined, outcome: IntakeOutcome): void {
    this.#ports.deviceLog.published(this.#owner.principal, "MQTT", kind, outcome);
    if (outcome.kind === "refused") {
      this.#ports.observer.notStored({ qos: pending === undefined ? 0 : 1, because: outcome.because });
    }
    if (this.#isClosed) return;
    if (pending === undefined) this.#qos0InFlight -= 1;
    if (outcome.kind === "refused") {
      this.#refused(pending, outcome.because);
    } else {
      this.#owner.noteActivity(kind === "events" ? "eventMs" : "stateMs");
      if (pending !== undefined) {
        pending.isDurable = true;
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
      if (first === undefined || !first.isDurable) return;
      this.#pending.shift();
      this.#owner.queuePuback(first.packetIdentifier);
      this.#ports.observer.acknowledged({ kind: first.kind, millis: nowMillis - first.takenMillis });
    }
  }

  #refused(
    pending: Pending | undefined,
    because: Extract<IntakeOutcome, { kind: "refused" }>["because"],
  ): void {
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
}
