/**
 * The client's half of an MQTT Session over one Network Connection: a pure machine.
 *
 * Bytes, ticks and answers come in by its methods, each with the time; bytes, reports and the instant of the
 * next tick go out. It reads no clock and sets no timer. MQTT 5.0 and 3.1.1; Clean Start always, so packet
 * identifiers begin anew and nothing is sent with DUP: what an earlier connection left unacknowledged is, to
 * this one, a new message (MQTT 5.0 §4.4 speaks of resumed sessions only).
 *
 * Left to others: which message is sent next (`outbox.ts`), tokens, and what follows an end (`agent.ts`).
 */
import { commandsFilter, configTopic, utf8Encode } from "@mayfly/core";
import {
  MqttError,
  mayCarryReasonCode,
  type ProtocolVersion,
  reasonCode,
  type ServerPacket,
} from "@mayfly/core/mqtt";
import { ClientDecoder, encodeClientPacket } from "@mayfly/core/mqtt-client";
import type { OutgoingMessage } from "../outbox.ts";
import { DownlinkAcknowledgements } from "./downlink-acknowledgements.ts";

/** From CONNECT to CONNACK. */
export const connackMillisMax = 15_000;
/** From PINGREQ to PINGRESP. */
export const pingAnswerMillisMax = 10_000;
/** Our own PUBLISHes without PUBACK, whatever more the bridge allows. */
export const inFlightMax = 20;
/** Receive Maximum we announce; 3.1.1 cannot say it, so there more ends the connection. */
export const downlinkInFlightMax = 20;
/** Maximum Packet Size we announce: a command of 256 KiB and its header. */
export const packetBytesMax = 264 * 1024;

/** A share of the keep-alive, so that a PINGREQ on a slow link still arrives in time. */
const pingShare = 0.75;

export interface SessionOptions {
  readonly protocolVersion: ProtocolVersion;
  readonly clientIdentifier: string;
  /** Id in the topics. */
  readonly device: string;
  /** Says whose agent this is; the bridge holds ours to more. */
  readonly userName: string;
  readonly keepAliveSeconds: number;
}

export type SessionEnd =
  | "link_closed"
  | "connack_timeout"
  | "ping_timeout"
  | "protocol_error"
  | "bridge_disconnected"
  | "not_served";

export type SessionReport =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly reasonCode: number }
  /** A QoS 1 message of ours was answered; there is room for another. */
  | { readonly kind: "answered"; readonly key: number; readonly reasonCode: number }
  | { readonly kind: "subscription_refused"; readonly topicFilter: string; readonly reasonCode: number }
  /** Answer with `settleDownlink` where `packetIdentifier` is given. `payload` is a copy. */
  | {
      readonly kind: "config" | "command";
      readonly payload: Uint8Array;
      readonly subfolder: string;
      readonly packetIdentifier: number | undefined;
    }
  /** The last report, after `refused` too. `reasonCode` where the bridge gave one. */
  | { readonly kind: "ended"; readonly because: SessionEnd; readonly reasonCode?: number };

export interface SessionOutput {
  write(bytes: Uint8Array): void;
  /** Close the link once what was written has left. */
  close(): void;
  report(report: SessionReport): void;
}

type Phase = "idle" | "connecting" | "accepted" | "ended";

export class Session {
  readonly #options: SessionOptions;
  readonly #output: SessionOutput;
  readonly #decoder: ClientDecoder;
  readonly #filters: readonly string[];
  readonly #owed = new DownlinkAcknowledgements();
  /** Packet Identifier of a PUBLISH of ours to the caller's key. */
  readonly #inFlight = new Map<number, number>();
  #phase: Phase = "idle";
  #now = 0;
  #sentMillis = 0;
  #receivedMillis = 0;
  #pingMillis: number | undefined;
  #keepAliveMillis = 0;
  #receiveMaximum = inFlightMax;
  #packetBytesMax = Number.POSITIVE_INFINITY;
  #lastIdentifier = 0;
  #subscribeIdentifier: number | undefined;

  constructor(options: SessionOptions, output: SessionOutput) {
    this.#options = options;
    this.#output = output;
    this.#filters = [configTopic(options.device), commandsFilter(options.device)];
    this.#decoder = new ClientDecoder({
      protocolVersion: options.protocolVersion,
      maximumPacketSize: packetBytesMax,
    });
  }

  get isAccepted(): boolean {
    return this.#phase === "accepted";
  }

  /** PUBLISHes of ours without PUBACK. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** When `tick` wants to be called, monotonic; `undefined` for not at all. */
  get dueMillis(): number | undefined {
    if (this.#phase === "connecting") return this.#sentMillis + connackMillisMax;
    if (this.#phase !== "accepted") return undefined;
    if (this.#pingMillis !== undefined) return this.#pingMillis + pingAnswerMillisMax;
    if (this.#keepAliveMillis === 0) return undefined;
    // Also when only we speak: a link that is dead one way is found out by its silence.
    return Math.min(this.#sentMillis, this.#receivedMillis) + this.#keepAliveMillis * pingShare;
  }

  /** Sends CONNECT; the link must be open. @param token JWS Compact Serialization. */
  connect(token: string, nowMillis: number): void {
    if (this.#phase !== "idle") return;
    this.#phase = "connecting";
    this.#now = nowMillis;
    this.#receivedMillis = nowMillis;
    const { protocolVersion, clientIdentifier, userName, keepAliveSeconds } = this.#options;
    this.#keepAliveMillis = keepAliveSeconds * 1000;
    this.#send({
      type: "connect",
      protocolVersion,
      cleanStart: true,
      keepAlive: keepAliveSeconds,
      clientIdentifier,
      userName,
      password: utf8Encode(token),
      ...(protocolVersion === 5
        ? { properties: { receiveMaximum: downlinkInFlightMax, maximumPacketSize: packetBytesMax } }
        : undefined),
    });
  }

  /** Whether a message of this QoS may be sent now: accepted, and room under the Receive Maximum. */
  mayPublish(qos: 0 | 1): boolean {
    if (this.#phase !== "accepted") return false;
    return qos === 0 || this.#inFlight.size < this.#receiveMaximum;
  }

  /**
   * Sends PUBLISH. Ask {@link mayPublish} first.
   *
   * @param key Comes back in `answered`, QoS 1 only.
   * @returns `too_large` when the bridge's Maximum Packet Size forbids it; nothing was sent then.
   */
  publish(message: OutgoingMessage, key: number, nowMillis: number): "written" | "too_large" {
    this.#now = nowMillis;
    const { topic, payload, qos, messageId } = message;
    const packetIdentifier = qos === 1 ? this.#takeIdentifier() : undefined;
    const bytes = encodeClientPacket(
      {
        type: "publish",
        dup: false,
        qos,
        retain: false,
        topic,
        payload,
        ...(packetIdentifier === undefined ? undefined : { packetIdentifier }),
        ...(messageId === undefined || this.#options.protocolVersion === 4
          ? undefined
          : { properties: { userProperties: [["id", messageId]] } }),
      },
      this.#options.protocolVersion,
    );
    if (bytes.length > this.#packetBytesMax) return "too_large";
    if (packetIdentifier !== undefined) this.#inFlight.set(packetIdentifier, key);
    this.#write(bytes);
    return "written";
  }

  /** A config or command was handled. @param isTaken false when its handler failed. */
  settleDownlink(packetIdentifier: number, isTaken: boolean, nowMillis: number): void {
    if (this.#phase !== "accepted") return;
    this.#now = nowMillis;
    // 3.1.1 has no word for "I failed": without a PUBACK the bridge sends it to our next connection.
    const failure = this.#options.protocolVersion === 5 ? reasonCode.implementationSpecificError : undefined;
    for (const answer of this.#owed.settle(packetIdentifier, isTaken ? reasonCode.success : failure)) {
      this.#send({ type: "puback", ...answer });
    }
  }

  receive(bytes: Uint8Array, nowMillis: number): void {
    if (this.#phase !== "connecting" && this.#phase !== "accepted") return;
    this.#now = nowMillis;
    this.#receivedMillis = nowMillis;
    try {
      this.#decoder.push(bytes);
      while (!this.#hasEnded()) {
        const packet = this.#decoder.next();
        if (packet === undefined) return;
        this.#take(packet);
      }
    } catch (error) {
      if (!(error instanceof MqttError)) throw error;
      this.#fail("protocol_error", error.reasonCode);
    }
  }

  /** Time has come to {@link dueMillis}; harmless before. */
  tick(nowMillis: number): void {
    const due = this.dueMillis;
    if (due === undefined || nowMillis < due) return;
    this.#now = nowMillis;
    if (this.#phase === "connecting") {
      this.#fail("connack_timeout", undefined);
      return;
    }
    if (this.#pingMillis !== undefined) {
      this.#fail("ping_timeout", undefined);
      return;
    }
    this.#pingMillis = nowMillis;
    this.#send({ type: "pingreq" });
  }

  /** The link is gone. */
  linkClosed(): void {
    this.#end("link_closed", undefined);
  }

  /** Takes leave: DISCONNECT if there is a session, then the link is closed. Nothing is reported any more. */
  disconnect(nowMillis: number): void {
    if (this.#phase === "ended") return;
    this.#now = nowMillis;
    if (this.#phase === "accepted")
      this.#send({ type: "disconnect", reasonCode: reasonCode.normalDisconnection });
    this.#phase = "ended";
    this.#output.close();
  }

  #take(packet: ServerPacket): void {
    if (this.#phase === "connecting") {
      if (packet.type !== "connack") {
        this.#fail("protocol_error", reasonCode.protocolError);
        return;
      }
      this.#takeConnack(packet);
      return;
    }
    switch (packet.type) {
      case "puback":
        this.#takePuback(packet.packetIdentifier, packet.reasonCode);
        return;
      case "pingresp":
        this.#pingMillis = undefined;
        return;
      case "publish":
        this.#takePublish(packet);
        return;
      case "suback":
        this.#takeSuback(packet.packetIdentifier, packet.reasonCodes);
        return;
      case "disconnect":
        this.#end("bridge_disconnected", packet.reasonCode);
        return;
      default:
        // We send no QoS 2, no UNSUBSCRIBE and no AUTH, so nothing else can be an answer.
        this.#fail("protocol_error", reasonCode.protocolError);
        return;
    }
  }

  #takeConnack(packet: Extract<ServerPacket, { type: "connack" }>): void {
    if (packet.reasonCode !== 0) {
      this.#output.report({ kind: "refused", reasonCode: packet.reasonCode });
      this.#end("bridge_disconnected", packet.reasonCode);
      return;
    }
    // A clean session that is present is an error of the bridge (MQTT 5.0 §3.2.2.1.1).
    if (packet.sessionPresent) {
      this.#fail("protocol_error", reasonCode.protocolError);
      return;
    }
    this.#phase = "accepted";
    const properties = packet.properties ?? {};
    this.#receiveMaximum = Math.min(inFlightMax, properties.receiveMaximum ?? inFlightMax);
    this.#packetBytesMax = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.#keepAliveMillis = (properties.serverKeepAlive ?? this.#options.keepAliveSeconds) * 1000;
    if (properties.maximumQoS === 0) {
      this.#fail("not_served", reasonCode.qosNotSupported);
      return;
    }
    this.#subscribe();
    this.#output.report({ kind: "accepted" });
  }

  #subscribe(): void {
    this.#subscribeIdentifier = this.#takeIdentifier();
    this.#send({
      type: "subscribe",
      packetIdentifier: this.#subscribeIdentifier,
      subscriptions: this.#filters.map((topicFilter) => ({
        topicFilter,
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
      })),
    });
  }

  #takePuback(packetIdentifier: number, code: number): void {
    const key = this.#inFlight.get(packetIdentifier);
    // One we never asked for: harmless, and MQTT gives no answer to it.
    if (key === undefined) return;
    this.#inFlight.delete(packetIdentifier);
    this.#output.report({ kind: "answered", key, reasonCode: code });
  }

  #takeSuback(packetIdentifier: number, codes: readonly number[]): void {
    if (packetIdentifier !== this.#subscribeIdentifier || codes.length !== this.#filters.length) {
      this.#fail("protocol_error", reasonCode.protocolError);
      return;
    }
    this.#subscribeIdentifier = undefined;
    for (const [i, topicFilter] of this.#filters.entries()) {
      const code = codes[i] ?? reasonCode.unspecifiedError;
      if (code >= 0x80) this.#output.report({ kind: "subscription_refused", topicFilter, reasonCode: code });
    }
  }

  #takePublish(packet: Extract<ServerPacket, { type: "publish" }>): void {
    const { qos, topic, packetIdentifier } = packet;
    if (qos === 2) {
      this.#fail("protocol_error", reasonCode.qosNotSupported);
      return;
    }
    if (packetIdentifier !== undefined) {
      if (this.#owed.size >= downlinkInFlightMax) {
        this.#fail("protocol_error", reasonCode.receiveMaximumExceeded);
        return;
      }
      this.#owed.owe(packetIdentifier);
    }
    // The decoder's payload is a view that its next call overwrites.
    const payload = packet.payload.slice();
    const [configName, commands] = this.#filters;
    const commandsName = commands?.slice(0, -"/#".length);
    if (topic === configName) {
      this.#output.report({ kind: "config", payload, subfolder: "", packetIdentifier });
      return;
    }
    if (commandsName !== undefined && (topic === commandsName || topic.startsWith(`${commandsName}/`))) {
      const subfolder = topic.slice(commandsName.length + 1);
      this.#output.report({ kind: "command", payload, subfolder, packetIdentifier });
      return;
    }
    this.#fail("protocol_error", reasonCode.topicNameInvalid);
  }

  #takeIdentifier(): number {
    do {
      this.#lastIdentifier = (this.#lastIdentifier % 0xffff) + 1;
    } while (this.#inFlight.has(this.#lastIdentifier) || this.#lastIdentifier === this.#subscribeIdentifier);
    return this.#lastIdentifier;
  }

  #send(packet: Parameters<typeof encodeClientPacket>[0]): void {
    this.#write(encodeClientPacket(packet, this.#options.protocolVersion));
  }

  #write(bytes: Uint8Array): void {
    this.#sentMillis = this.#now;
    this.#output.write(bytes);
  }

  /** Our own verdict on the connection: MQTT 5.0 lets us say why. */
  #fail(because: SessionEnd, code: number | undefined): void {
    if (this.#phase === "accepted" && code !== undefined && this.#options.protocolVersion === 5) {
      const mayBeSaid = mayCarryReasonCode("disconnectFromClient", code);
      this.#send({ type: "disconnect", reasonCode: mayBeSaid ? code : reasonCode.protocolError });
    }
    this.#end(because, undefined);
  }

  #end(because: SessionEnd, code: number | undefined): void {
    if (this.#hasEnded()) return;
    this.#phase = "ended";
    this.#output.close();
    this.#output.report({
      kind: "ended",
      because,
      ...(code === undefined ? undefined : { reasonCode: code }),
    });
  }

  // As a method: the compiler would otherwise hold an earlier narrowing of #phase for true.
  #hasEnded(): boolean {
    return this.#phase === "ended";
  }
}
