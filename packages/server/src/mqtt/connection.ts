/**
 * One Network Connection: bytes, CONNECT, admission, and the link under a live session until it ends.
 *
 * connecting ──CONNECT──▶ admitting ──answer──▶ live ──▶ closed; from each state straight to closed as well.
 * What one turn queues leaves in one write: twenty PUBACKs are one TLS record.
 *
 * Left to others: who is connected at all and takeover (`bridge.ts`), and what packets do once the device is
 * admitted (`live-session.ts`).
 */
import {
  type ByteLink,
  type ByteLinkEvents,
  BytesError,
  concatBytes,
  type DeviceName,
  IdError,
  parseClientIdentifier,
  utf8Decode,
} from "@mayfly/core";
import { type ConnectPacket, MqttError } from "@mayfly/core/mqtt";
import { encodeDisconnect, ServerDecoder } from "@mayfly/core/mqtt-server";
import { type Authenticity, TokenError } from "@mayfly/core/token";
import type { Admission, AdmissionOutcome, DevicePrincipal } from "../auth/admission.ts";
import type { Intake } from "../telemetry/intake.ts";
import type { Alarm, Waiting } from "../time/alarm.ts";
import type { BridgePorts, SessionView } from "./bridge.ts";
import { type CloseReason, reasonOnWire } from "./close-reason.ts";
import { encodeAccepted, encodeConnectFailure, encodeRefused, encodeTokenRefused } from "./connack.ts";
import { keepAliveFor } from "./keep-alive.ts";
import { connectBytesMax, connectTimeoutMillis, packetBytesMax } from "./limits.ts";
import { LiveSession, type SessionCarrier } from "./live-session.ts";
import type { ConnectRefusal, LinkFacts } from "./observer.ts";
import type { HeldTotal } from "./uplink.ts";

/** What a connection asks of the bridge. */
export interface ConnectionHost {
  readonly ports: BridgePorts;
  readonly admission: Admission;
  readonly intake: Intake;
  readonly alarm: Alarm;
  readonly heldTotal: HeldTotal;
  /** Grows with each change of the registry. */
  readonly changesSeen: number;
  /** Calls {@link Connection.flush} when this turn is over. */
  flushLater(connection: Connection): void;
  /** Enters a live session; one of the same device is taken over. @returns whether there was one. */
  enter(connection: Connection, principal: DevicePrincipal): boolean;
  /** Looks the device up again and has the session judged. */
  rejudgeLater(connection: Connection): void;
  /** The connection is over. Told once. */
  ended(connection: Connection): void;
}

/** Server unavailable: no verdict on the peer, who may come again. */
const unavailableCodes = { mqtt5: 0x88, mqtt311: 0x03 } as const;
/** User Name by which our own agents make themselves known, alone or with words after a space. */
const ownAgentUserName = "mayfly/1";

export class Connection implements ByteLinkEvents, Waiting, SessionCarrier {
  dueMillis = 0;
  heapIndex = -1;
  lastReceivedMillis: number;
  isPaused = false;
  readonly #host: ConnectionHost;
  readonly #link: ByteLink;
  readonly #facts: LinkFacts;
  readonly #decoder = new ServerDecoder({ maximumPacketSize: packetBytesMax });
  readonly #openedMillis: number;
  #state: "connecting" | "admitting" | "live" | "closed" = "connecting";
  /** From admission on, also when it is over. */
  #isOwnAgent = false;
  #session: LiveSession | undefined;
  #protocolVersion: 4 | 5 | undefined;
  #deviceName: DeviceName | undefined;
  #isLinkOpen = true;
  #isParsing = false;
  #outgoing: Uint8Array[] = [];
  #isFlushAsked = false;

  constructor(host: ConnectionHost, link: ByteLink, facts: LinkFacts) {
    this.#host = host;
    this.#link = link;
    this.#facts = facts;
    this.#openedMillis = host.ports.clock.monotonicMillis();
    this.lastReceivedMillis = this.#openedMillis;
    host.alarm.wakeBy(this, this.#openedMillis + connectTimeoutMillis);
  }

  /** The session while it lives. */
  get live(): LiveSession | undefined {
    return this.#state === "live" ? this.#session : undefined;
  }

  /** Who was admitted, be the session over or not. */
  /** Did the peer say that it is an agent of ours? */
  get isOwnAgent(): boolean {
    return this.#isOwnAgent;
  }

  get principal(): DevicePrincipal | undefined {
    return this.#session?.principal;
  }

  view(): SessionView | undefined {
    const session = this.live;
    if (session === undefined) return undefined;
    return {
      principal: session.principal,
      protocolVersion: session.version,
      link: this.#facts,
      connectedMs: session.connectedMs,
      deadlineSeconds: session.deadlineSeconds,
      subscriptions: session.downlink.subscriptions,
      unacknowledged: session.uplink.unacknowledged,
    };
  }

  received(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.lastReceivedMillis = this.#host.ports.clock.monotonicMillis();
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      this.#refuseBytes(error);
    }
    this.#parse();
    this.flush();
  }

  closed(_because: string): void {
    this.#isLinkOpen = false;
    if (this.#state === "live") this.end("link_lost");
    else this.#release();
  }

  wake(nowMillis: number): void {
    if (this.#state === "live") this.#session?.wake(nowMillis);
    else if (nowMillis >= this.#openedMillis + connectTimeoutMillis) this.#refuse("connect_timeout");
    this.reschedule();
  }

  reschedule(): void {
    if (this.#state === "closed") return;
    const dueMillis = this.live?.dueMillis ?? this.#openedMillis + connectTimeoutMillis;
    this.#host.alarm.wakeBy(this, dueMillis);
  }

  proceed(): void {
    this.#parse();
    this.reschedule();
  }

  queue(bytes: Uint8Array): void {
    this.#outgoing.push(bytes);
    if (this.#isFlushAsked) return;
    this.#isFlushAsked = true;
    this.#host.flushLater(this);
  }

  /** Writes what this turn queued. */
  flush(): void {
    this.#isFlushAsked = false;
    const [first] = this.#outgoing;
    if (first === undefined) return;
    const bytes = this.#outgoing.length === 1 ? first : concatBytes(this.#outgoing);
    this.#outgoing = [];
    if (this.#isLinkOpen) this.#link.write(bytes);
  }

  /** Ends the live session: the peer is told what it may know, the registry what it should. */
  end(because: CloseReason): void {
    const session = this.live;
    if (session === undefined) return;
    const { mqtt5, reasonString } = reasonOnWire(because);
    if (session.version === 5 && mqtt5 !== undefined && this.#isLinkOpen) {
      const bare = encodeDisconnect({ type: "disconnect", reasonCode: mqtt5 }, 5);
      const told =
        reasonString === undefined
          ? bare
          : encodeDisconnect({ type: "disconnect", reasonCode: mqtt5, properties: { reasonString } }, 5);
      this.#outgoing.push(told.length <= session.clientPacketBytesMax ? told : bare);
    }
    const { unacknowledged } = session.uplink;
    this.#release();
    session.close(because);
    this.#host.ports.observer.disconnected({
      principal: session.principal,
      because,
      link: this.#facts,
      connectedMillis: this.#host.ports.clock.monotonicMillis() - session.admittedMillis,
      unacknowledged,
    });
  }

  /** Takes nothing more and ends soon. */
  drain(): void {
    if (this.#state === "live") {
      this.#session?.drain();
      return;
    }
    const version = this.#protocolVersion;
    const answer = version === undefined ? undefined : encodeRefused(version, unavailableCodes);
    this.#refuse("shutting_down", answer);
  }

  /** Ends now, whatever the state. */
  shut(): void {
    if (this.#state === "live") this.end("shutting_down");
    else this.#refuse("shutting_down");
  }

  #parse(): void {
    // An answer of the registry or the store may come while we parse: the loop below goes on by itself.
    if (this.#isParsing || this.#state === "closed") return;
    this.#isParsing = true;
    try {
      while (this.#mayRead()) {
        const packet = this.#decoder.next();
        if (packet === undefined) break;
        if (packet.type === "connect") this.#connect(packet);
        else this.#session?.take(packet);
      }
    } catch (error) {
      this.#refuseBytes(error);
    } finally {
      this.#isParsing = false;
    }
    if (this.#state === "connecting" && this.#decoder.bufferedBytes > connectBytesMax) {
      this.#refuse("packet_too_large");
    }
    this.#adjustReading();
  }

  #mayRead(): boolean {
    if (this.#state === "connecting") return true;
    return this.live?.mayRead ?? false;
  }

  #adjustReading(): void {
    if (this.#state === "closed") return;
    const wantsPause =
      this.#state === "admitting" ? this.#decoder.bufferedBytes > connectBytesMax : !this.#mayRead();
    if (wantsPause === this.isPaused) return;
    this.isPaused = wantsPause;
    if (wantsPause) {
      this.#link.pause();
    } else {
      // While we did not read, the silence was ours.
      this.lastReceivedMillis = this.#host.ports.clock.monotonicMillis();
      this.#link.resume();
      this.reschedule();
    }
  }

  #connect(connect: ConnectPacket): void {
    const { protocolVersion: version, will } = connect;
    this.#protocolVersion = version;
    const refuse = (because: ConnectRefusal, mqtt5: number, mqtt311: number) =>
      this.#refuse(because, encodeRefused(version, { mqtt5, mqtt311 }));
    if (connect.properties?.authenticationMethod !== undefined) {
      refuse("authentication_method_unsupported", 0x8c, 0x05);
      return;
    }
    // A Will is taken and ignored, but 5.0 forbids to accept one beyond what CONNACK announces
    // [MQTT-3.2.2-12, -13].
    if (version === 5 && will?.retain === true) {
      refuse("will_unsupported", 0x9a, 0x05);
      return;
    }
    if (version === 5 && will?.qos === 2) {
      refuse("will_unsupported", 0x9b, 0x05);
      return;
    }
    const deviceName = findDeviceName(connect.clientIdentifier);
    if (deviceName === undefined) {
      refuse("client_identifier_malformed", 0x85, 0x02);
      return;
    }

    this.#deviceName = deviceName;
    this.#state = "admitting";
    const { changesSeen } = this.#host;
    const userName = connect.userName ?? "";
    const ownAgent = userName === ownAgentUserName || userName.startsWith(`${ownAgentUserName} `);
    this.#isOwnAgent = ownAgent;
    const token = tokenOf(connect.password);
    const way = { bridge: "mqtt", purpose: "connect", peer: this.#facts } as const;
    this.#host.admission.admitDeviceToken({ deviceName, token, ownAgent, ...way }, (outcome) =>
      this.#decided(connect, deviceName, outcome, changesSeen),
    );
  }

  #decided(
    connect: ConnectPacket,
    deviceName: DeviceName,
    outcome: AdmissionOutcome,
    changesSeen: number,
  ): void {
    // The peer may have gone, or its time run out, before the registry answered.
    if (this.#state !== "admitting") return;
    const { protocolVersion: version } = connect;
    const bytesMax = connect.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    if (outcome.kind === "refused" && outcome.because === "registry_unavailable") {
      this.#refuse("registry_unavailable", encodeRefused(version, unavailableCodes));
      return;
    }
    if (outcome.kind === "refused") {
      const error = outcome.because instanceof TokenError ? outcome.because : undefined;
      const answer = encodeTokenRefused(version, error, outcome.serverSeconds, bytesMax);
      this.#refuse(error?.code ?? "bridge_disabled", answer, error?.authenticity);
      return;
    }
    const { principal } = outcome;
    const { idleMaxSeconds } = principal.policy;
    const { allowanceMillis, serverKeepAlive } = keepAliveFor(version, connect.keepAlive, idleMaxSeconds);
    const accepted = encodeAccepted(version, serverKeepAlive);
    if (accepted.length > bytesMax) {
      this.#refuse("packet_too_large");
      return;
    }

    const { ports, intake, heldTotal } = this.#host;
    const order = { connect, deviceName, principal, keepAliveMillis: allowanceMillis, heldTotal };
    const session = new LiveSession(ports, intake, this, order);
    this.#session = session;
    this.#state = "live";
    const tookOver = this.#host.enter(this, principal);
    this.queue(accepted);
    ports.observer.connected({
      principal,
      protocolVersion: version,
      link: this.#facts,
      tookOver,
      millis: session.admittedMillis - this.#openedMillis,
      deadlineSeconds: session.deadlineSeconds,
    });
    // The registry changed between question and answer: which of both was first is unknown.
    if (changesSeen !== this.#host.changesSeen) this.#host.rejudgeLater(this);
    this.proceed();
  }

  #refuseBytes(error: unknown): void {
    if (!(error instanceof MqttError)) throw error;
    if (this.#state === "live") {
      this.end(closeReasonOf(error));
      return;
    }
    this.#refuse(connectRefusalOf(error), encodeConnectFailure(this.#decoder.protocolVersion, error));
  }

  #refuse(because: ConnectRefusal, answer?: Uint8Array, authenticity?: Authenticity): void {
    if (this.#state === "closed") return;
    if (answer !== undefined) this.#outgoing.push(answer);
    this.#release();
    this.#host.ports.observer.connectRefused({
      because,
      link: this.#facts,
      ...(this.#deviceName === undefined ? {} : { deviceName: this.#deviceName }),
      ...(authenticity === undefined ? {} : { authenticity }),
    });
  }

  /** Lets go of link, alarm and bridge. Nothing of this connection is kept anywhere afterwards. */
  #release(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#host.alarm.forget(this);
    this.#host.ended(this);
    this.flush();
    if (this.#isLinkOpen) this.#link.close();
  }
}

function findDeviceName(clientIdentifier: string): DeviceName | undefined {
  try {
    return parseClientIdentifier(clientIdentifier);
  } catch (error) {
    if (error instanceof IdError) return undefined;
    throw error;
  }
}

/** What is no text is no token, and is refused as one that is malformed. */
function tokenOf(password: Uint8Array | undefined): string {
  if (password === undefined) return "";
  try {
    return utf8Decode(password);
  } catch (error) {
    if (error instanceof BytesError) return "";
    throw error;
  }
}

function closeReasonOf(error: MqttError): CloseReason {
  switch (error.code) {
    case "packet_too_large":
    case "topic_name_invalid":
    case "topic_alias_invalid":
    case "malformed_packet":
      return error.code;
    case "backlog_exceeded":
      return "receive_maximum_exceeded";
    default:
      return "protocol_error";
  }
}

function connectRefusalOf(error: MqttError): ConnectRefusal {
  switch (error.code) {
    case "unsupported_protocol_version":
      return "protocol_version_unsupported";
    case "malformed_packet":
    case "packet_too_large":
      return error.code;
    default:
      return "protocol_error";
  }
}
