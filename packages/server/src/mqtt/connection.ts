/**
 * One Network Connection: bytes, CONNECT, admission, and the link under a live session until it ends.
 *
 * connecting ──CONNECT──▶ admitting ──answer──▶ live ──▶ closed; from each state straight to closed as well.
 * A live one whose Session another connection was handed is `relieved` first: it writes nothing more, and of what
 * it reads only a DISCONNECT counts. What one turn queues leaves in one write: twenty PUBACKs are one TLS record.
 *
 * Left to others: who is connected at all and takeover (`bridge.ts`), what a CONNECT that is accepted gets
 * (`session-terms.ts`), and what packets do once the device is admitted (`live-session.ts`).
 */
import { type ByteLink, type ByteLinkEvents, concatBytes, type DeviceName } from "@mayfly/core";
import { type ClientPacket, type ConnectPacket, MqttError } from "@mayfly/core/mqtt";
import { ServerDecoder } from "@mayfly/core/mqtt-server";
import type { Authenticity } from "@mayfly/core/token";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { KeptCommand, KeptSession } from "../registry/session-store.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import type { Intake } from "../telemetry/intake.ts";
import type { Alarm, Waiting } from "../time/alarm.ts";
import type { AttachmentTable } from "./attachment-table.ts";
import type { SessionView } from "./bridge.ts";
import { type CloseReason, reasonOnWire } from "./close-reason.ts";
import {
  encodeAccepted,
  encodeConnectFailure,
  encodeRefused,
  implementationSpecificCodes,
} from "./connack.ts";
import { type ConnectRequest, readConnect } from "./connect-request.ts";
import { encodeEnd } from "./disconnect-packet.ts";
import { Entrance, type EntranceHost, type EntranceOutcome, unavailableCodes } from "./entrance.ts";
import {
  connectBytesMax,
  connectTimeoutMillis,
  handoverWaitMillis,
  outgoingBytesMax,
  packetBytesMax,
  packetsPerTurnMax,
} from "./limits.ts";
import { LiveSession } from "./live-session.ts";
import type { Load } from "./load.ts";
import type { ConnectRefusal, LinkFacts } from "./observer.ts";
import { closeReasonOf, connectRefusalOf } from "./protocol-breach.ts";
import type { HandedOver, SessionCarrier } from "./session-carrier.ts";
import { termsFor } from "./session-terms.ts";
import type { HeldTotal } from "./uplink.ts";

/** What a connection asks of the bridge. */
export interface ConnectionHost extends EntranceHost {
  readonly intake: Intake;
  readonly alarm: Alarm;
  readonly heldTotal: HeldTotal;
  readonly rates: DeviceRates;
  readonly deviceLog: DeviceLog;
  readonly load: Load;
  readonly attachments: AttachmentTable;
  /** Grows with each change of the registry. */
  readonly changesSeen: number;
  /** Calls {@link Connection.flush} when this turn is over. */
  flushLater(connection: Connection): void;
  /** Calls {@link Connection.goOn} in a later turn. */
  goOnLater(connection: Connection): void;
  /** The device's live connection. */
  findLive(principal: DevicePrincipal): Connection | undefined;
  /** Enters a connection as its device's. @returns the one before, to be ended by the caller. */
  enter(connection: Connection, principal: DevicePrincipal): Connection | undefined;
  /** Looks the device up again and has the session judged. */
  rejudgeLater(connection: Connection): void;
  /** The connection is over. Told once. */
  ended(connection: Connection): void;
}

export class Connection implements ByteLinkEvents, Waiting, SessionCarrier {
  dueMillis = 0;
  heapIndex = -1;
  lastReceivedMillis: number;
  pausedMillis = Number.POSITIVE_INFINITY;
  readonly #host: ConnectionHost;
  readonly #link: ByteLink;
  readonly #facts: LinkFacts;
  readonly #decoder = new ServerDecoder({ maximumPacketSize: packetBytesMax });
  readonly #openedMillis: number;
  #state: "connecting" | "admitting" | "live" | "relieved" | "closed" = "connecting";
  #request: ConnectRequest | undefined;
  #entrance: Entrance | undefined;
  #relievedMillis = 0;
  /** From admission on, also when it is over. */
  #session: LiveSession | undefined;
  #protocolVersion: 4 | 5 | undefined;
  /** The client's Maximum Packet Size, once it is known. */
  #clientPacketBytesMax = Number.POSITIVE_INFINITY;
  #deviceName: DeviceName | undefined;
  #isLinkOpen = true;
  #isParsing = false;
  /** Since the last {@link goOn}. */
  #packetsTaken = 0;
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

  get isPaused(): boolean {
    return this.pausedMillis !== Number.POSITIVE_INFINITY;
  }

  get changesSeen(): number {
    return this.#host.changesSeen;
  }

  get link(): LinkFacts {
    return this.#facts;
  }

  /** Did the peer say that it is an agent of ours? */
  get isOwnAgent(): boolean {
    return this.#request?.ownAgent ?? false;
  }

  get isOutgoingFull(): boolean {
    return this.#link.bufferedBytes > outgoingBytesMax;
  }

  /** Who was admitted, be the session over or not. */
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
      sessionExpirySeconds: session.sessionExpirySeconds,
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
    else if (nowMillis >= this.#waitEndsMillis()) this.#waitedLongEnough();
    this.reschedule();
  }

  reschedule(): void {
    if (this.#state === "closed") return;
    this.#host.alarm.wakeBy(this, this.live?.dueMillis ?? this.#waitEndsMillis());
  }

  /**
   * Another connection takes the Session over, make before break: here nothing is written any more, and nothing
   * read counts but the client's DISCONNECT. @returns what the other goes on with.
   */
  relieve(): HandedOver | undefined {
    const session = this.live;
    if (session === undefined) return undefined;
    const state = session.handOverAll();
    const { unacknowledged } = session.uplink;
    this.#outgoing = [];
    this.#state = "relieved";
    this.#relievedMillis = this.#host.ports.clock.monotonicMillis();
    session.close("handed_over");
    this.#tellDisconnected(session, "handed_over", unacknowledged);
    this.#adjustReading();
    this.reschedule();
    return state;
  }

  proceed(): void {
    this.#parse();
    this.reschedule();
  }

  /** Others had their turn: takes what was left over. */
  goOn(): void {
    this.#packetsTaken = 0;
    this.proceed();
    this.flush();
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

  rejudgeLater(): void {
    this.#host.rejudgeLater(this);
  }

  passOn(principal: DevicePrincipal, command: KeptCommand): void {
    this.#host.findLive(principal)?.live?.takeKept(command);
  }

  /** Ends the live session: the peer is told what it may know, the registry what it should. */
  end(because: CloseReason, reasonString?: string): void {
    const session = this.live;
    if (session === undefined) return;
    const serverSeconds = this.#host.ports.clock.wallSeconds();
    const told = this.#isLinkOpen ? encodeEnd(session, because, { serverSeconds, reasonString }) : undefined;
    if (told !== undefined) this.#outgoing.push(told);
    const { unacknowledged } = session.uplink;
    this.#release();
    session.close(because);
    this.#tellDisconnected(session, because, unacknowledged);
  }

  /** Takes nothing more, a live session from `atMillis` on, and ends soon. */
  drainAt(atMillis: number): void {
    if (this.#state === "live") {
      this.#session?.drainAt(atMillis);
      return;
    }
    if (this.#state === "relieved") {
      this.#release();
      return;
    }
    const version = this.#protocolVersion;
    const answer = version === undefined ? undefined : encodeRefused(version, unavailableCodes);
    this.#refuse("shutting_down", answer);
  }

  /** Ends now, whatever the state. */
  shut(): void {
    if (this.#state === "live") this.end("shutting_down");
    else if (this.#state === "relieved") this.#release();
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
        else if (this.#state === "live") this.#takeLive(packet);
        else if (packet.type === "disconnect") this.#release();
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

  #takeLive(packet: ClientPacket): void {
    this.#packetsTaken += 1;
    if (this.#packetsTaken === packetsPerTurnMax) this.#host.goOnLater(this);
    this.#session?.take(packet);
  }

  #mayRead(): boolean {
    if (this.#state === "connecting" || this.#state === "relieved") return true;
    return this.#packetsTaken < packetsPerTurnMax && (this.live?.mayRead ?? false);
  }

  #adjustReading(): void {
    if (this.#state === "closed") return;
    const wantsPause =
      this.#state === "admitting" ? this.#decoder.bufferedBytes > connectBytesMax : !this.#mayRead();
    if (wantsPause === this.isPaused) return;
    const nowMillis = this.#host.ports.clock.monotonicMillis();
    this.pausedMillis = wantsPause ? nowMillis : Number.POSITIVE_INFINITY;
    if (wantsPause) {
      this.#link.pause();
    } else {
      // While we did not read, the silence was ours.
      this.lastReceivedMillis = nowMillis;
      this.#link.resume();
    }
    this.reschedule();
  }

  #connect(connect: ConnectPacket): void {
    const { protocolVersion: version } = connect;
    this.#protocolVersion = version;
    this.#clientPacketBytesMax = connect.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    const reading = readConnect(connect);
    if (reading.kind === "refused") {
      this.#refuse(reading.because, encodeRefused(version, reading.codes));
      return;
    }
    const { request } = reading;
    this.#request = request;
    this.#deviceName = request.deviceName;
    this.#state = "admitting";
    const { changesSeen } = this.#host;
    this.#entrance = new Entrance(this.#host, request, this.#facts, (outcome) =>
      this.#decided(request, outcome, changesSeen),
    );
    this.#entrance.begin();
  }

  #decided(request: ConnectRequest, outcome: EntranceOutcome, changesSeen: number): void {
    // The peer may have gone, or its time run out, before the registry answered.
    if (this.#state !== "admitting") return;
    if (outcome.kind === "refused") {
      this.#refuse(outcome.because, outcome.answer, outcome.authenticity);
      return;
    }
    this.#enter(request, outcome.principal, outcome.kept);
    // The registry changed between question and answer: which of both was first is unknown.
    if (changesSeen !== this.#host.changesSeen) this.#host.rejudgeLater(this);
    this.proceed();
  }

  #enter(request: ConnectRequest, principal: DevicePrincipal, kept: KeptSession | undefined): void {
    const { ports } = this.#host;
    const { version } = request;
    const before = this.#host.findLive(principal);
    const wasKept = (kept ?? before?.live?.kept) !== undefined;
    const terms = termsFor(request, principal.policy, wasKept);
    const { isResumed } = terms;
    const serverSeconds = ports.clock.wallSeconds();
    const accepted = encodeAccepted({ request, principal, terms, serverSeconds });
    if (accepted === undefined) {
      // Nothing is wrong with its CONNECT, but what we must tell it does not fit.
      this.#refuse("client_packets_too_small", encodeRefused(version, implementationSpecificCodes));
      return;
    }

    // Clean Start 1 ends the Session there was [MQTT-3.1.2-4], whatever becomes of a new one.
    const endsSession = wasKept && !isResumed;
    const replaced = this.#host.enter(this, principal);
    const handedOver =
      replaced === undefined ? undefined : this.#replace(replaced, request, principal, isResumed);
    const session = new LiveSession(ports, this.#host, this, {
      request,
      principal,
      link: this.#facts,
      terms,
    });
    this.#session = session;
    this.#state = "live";
    this.queue(accepted);
    if (endsSession) session.endKeptBefore();
    session.begin(isResumed ? (handedOver ?? kept) : undefined);
    this.#host.deviceLog.connected(principal);
    ports.observer.connected({
      principal,
      protocolVersion: version,
      link: this.#facts,
      tookOver: replaced !== undefined,
      ...(replaced === undefined ? {} : { linkBefore: replaced.link }),
      resumed: isResumed,
      millis: session.admittedMillis - this.#openedMillis,
      deadlineSeconds: session.deadlineSeconds,
    });
  }

  /** Ends the device's connection before this one. @returns what this one goes on with. */
  #replace(
    before: Connection,
    request: ConnectRequest,
    principal: DevicePrincipal,
    isResumed: boolean,
  ): HandedOver | undefined {
    if (isResumed && before.#mayHandOverTo(request, principal)) return before.relieve();
    const isRenewal = request.ownAgent && before.isOwnAgent && before.principal?.keyId === principal.keyId;
    const state = isResumed ? before.live?.handOver() : undefined;
    before.end(isRenewal ? "renewed" : "taken_over");
    return state;
  }

  /** Make before break, for whoever knows no AUTH: our own agent asks for it by name, on both ends Clean Session 0. */
  #mayHandOverTo(next: ConnectRequest, principal: DevicePrincipal): boolean {
    const own = this.#request;
    return (
      next.asksHandover &&
      next.version === 4 &&
      own?.version === 4 &&
      !own.cleanStart &&
      this.principal?.keyFingerprint === principal.keyFingerprint
    );
  }

  #tellDisconnected(session: LiveSession, because: CloseReason, unacknowledged: number): void {
    const { mqtt5, status } = reasonOnWire(because);
    this.#host.deviceLog.disconnected(
      session.principal,
      mqtt5 === undefined ? "CLIENT" : "SERVER",
      // `lastErrorStatus` says which bridge speaks; an entry has a field for it.
      status === undefined ? undefined : { ...status, message: status.message.replace(/^mqtt: /, "") },
    );
    this.#host.ports.observer.disconnected({
      principal: session.principal,
      because,
      link: this.#facts,
      connectedMillis: this.#host.ports.clock.monotonicMillis() - session.admittedMillis,
      unacknowledged,
    });
  }

  /** Until when a connection that is not live may stay. */
  #waitEndsMillis(): number {
    if (this.#state === "relieved") return this.#relievedMillis + handoverWaitMillis;
    // A CONNECT that was found good and waits for its turn is not late by its own fault.
    return this.#entrance?.isDelayed === true
      ? this.#entrance.delayEndsMillis
      : this.#openedMillis + connectTimeoutMillis;
  }

  #waitedLongEnough(): void {
    if (this.#state === "relieved") this.#release();
    else this.#refuse("connect_timeout");
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
    if (answer !== undefined && answer.length <= this.#clientPacketBytesMax) this.#outgoing.push(answer);
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
    this.#entrance?.cancel();
    this.#host.alarm.forget(this);
    this.#host.ended(this);
    this.flush();
    if (this.#isLinkOpen) this.#link.close();
  }
}
