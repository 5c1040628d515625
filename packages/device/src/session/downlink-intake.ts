/**
 * Downlink intake: what the bridge publishes to us, made sure of before it is handed over.
 *
 * A message of QoS 1 is owed its PUBACK from here on. One that comes again while it is owed, with DUP, is the same
 * message: Cloud IoT Core repeats on a live connection too.
 *
 * Left to others: the order of PUBACKs (`downlink-acknowledgements.ts`).
 */
import { configVersionProperty } from "@mayfly/core";
import { type PublishPacket, reasonCode } from "@mayfly/core/mqtt";
import type { DownlinkAcknowledgements } from "./downlink-acknowledgements.ts";
import { findDownlinkPlace } from "./downlink-place.ts";
import type { DownlinkMessage } from "./session-report.ts";
import { IncomingAliases } from "./topic-aliases.ts";
import type { WireSettings } from "./wire-settings.ts";

export class DownlinkIntake {
  readonly #device: string;
  readonly #owed: DownlinkAcknowledgements;
  readonly #receiveMaximum: number;
  readonly #aliases: IncomingAliases;

  constructor(device: string, owed: DownlinkAcknowledgements, wire: WireSettings) {
    this.#device = device;
    this.#owed = owed;
    this.#receiveMaximum = wire.receiveMaximum;
    this.#aliases = new IncomingAliases(wire.topicAliasMaximum);
  }

  /** @returns A message to hand over; `repeat`: it was before, and is owed again; a number: the breach's Reason Code. */
  take(packet: PublishPacket): DownlinkMessage | "repeat" | number {
    const { qos, packetIdentifier } = packet;
    if (qos === 2) return reasonCode.qosNotSupported;
    const topic = this.#aliases.resolve(packet.topic, packet.properties?.topicAlias);
    if (topic === undefined) return reasonCode.topicAliasInvalid;
    if (packetIdentifier !== undefined) {
      const isOwed = this.#owed.isOwed(packetIdentifier);
      if (isOwed) return packet.dup ? "repeat" : reasonCode.protocolError;
      if (this.#owed.size >= this.#receiveMaximum) return reasonCode.receiveMaximumExceeded;
      if (packet.dup && this.#owed.oweAgain(packetIdentifier)) return "repeat";
    }
    const place = findDownlinkPlace(this.#device, topic);
    if (place === undefined) return reasonCode.topicNameInvalid;
    // The decoder's payload is a view that its next call overwrites.
    const payload = packet.payload.slice();
    const receipt = packetIdentifier === undefined ? undefined : this.#owed.owe(packetIdentifier);
    const version = place.kind === "config" ? readVersion(packet) : undefined;
    return { ...place, payload, receipt, ...(version === undefined ? undefined : { version }) };
  }
}

/** @returns The version a config says it is, `undefined` where it says none or no whole number. */
function readVersion(packet: PublishPacket): number | undefined {
  for (const [name, value] of packet.properties?.userProperties ?? []) {
    if (name !== configVersionProperty) continue;
    const version = Number(value);
    const isDecimal = Number.isSafeInteger(version) && version >= 0 && `${version}` === value;
    return isDecimal ? version : undefined;
  }
  return undefined;
}
