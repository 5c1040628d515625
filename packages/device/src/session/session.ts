/**
 * The client's half of an MQTT Session over one Network Connection: a pure machine.
 *
 * Bytes, ticks and answers come in by its methods, each with the time; bytes, reports and the instant of the
 * next tick go out. It reads no clock and sets no timer. MQTT 5.0 and 3.1.1. With Clean Start, packet identifiers
 * begin anew and nothing is sent with DUP: what an earlier connection left unacknowledged is, to this one, a new
 * message. Without, and when the bridge says Session Present, what is in flight goes out again first, under its
 * identifiers and with DUP (MQTT 3.1.1 §4.4).
 *
 * Left to others: our PUBLISHes (`uplink.ts`), the bridge's (`downlink-intake.ts`), SUBSCRIBE (`subscriptions.ts`), AUTH
 * (`reauthentication.ts`), which message is next (`outbox.ts`), and what follows an end (`supervisor.ts`).
 */
import {
  type AuthPacket,
  type ConnackPacket,
  MqttError,
  mayCarryReasonCode,
  type Properties,
  type PubackPacket,
  type PublishPacket,
  reasonCode,
  type ServerPacket,
} from "@mayfly/core/mqtt";
import { ClientDecoder, encodeClientPacket } from "@mayfly/core/mqtt-client";
import type { OutgoingMessage } from "../outbox.ts";
import type { TimeHint } from "../ports.ts";
import { readBridgeHints, readTimeRefusal } from "./bridge-hints.ts";
import { readBridgeLimits } from "./bridge-limits.ts";
import type { DownlinkReceipt } from "./downlink-acknowledgements.ts";
import { DownlinkIntake } from "./downlink-intake.ts";
import { earlier } from "./earlier.ts";
import { KeepAlive } from "./keep-alive.ts";
import { connectPacket } from "./packets-sent.ts";
import { readReasonWords } from "./reason-words.ts";
import { Reauthentication } from "./reauthentication.ts";
import type {
  ConnectOrder,
  SessionEnd,
  SessionOptions,
  SessionOutput,
  SessionReport,
} from "./session-report.ts";
import type { SessionState } from "./session-state.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Uplink } from "./uplink.ts";

/** From CONNECT to CONNACK. */
export const connackMillisMax = 15_000;

type Phase = "idle" | "connecting" | "accepted" | "ended";

export class Session {
  readonly #options: SessionOptions;
  readonly #state: SessionState;
  readonly #output: SessionOutput;
  readonly #decoder: ClientDecoder;
  readonly #uplink: Uplink;
  readonly #intake: DownlinkIntake;
  readonly #subscriptions: Subscriptions;
  readonly #keepAlive = new KeepAlive();
  readonly #reauthentication = new Reauthentication();
  #phase: Phase = "idle";
  #isHeld = false;
  #now = 0;
  #connectedMillis = 0;

  /** @param state A new one for a clean start; else the one that outlived the connection before. */
  constructor(options: SessionOptions, state: SessionState, output: SessionOutput) {
    this.#options = options;
    this.#state = state;
    this.#output = output;
    this.#uplink = new Uplink(options, state, output, (bytes) => this.#write(bytes));
    this.#intake = new DownlinkIntake(options.device, state.downlink, options.wire);
    this.#subscriptions = new Subscriptions(options.device, state, output);
    this.#decoder = new ClientDecoder({
      protocolVersion: options.protocolVersion,
      maximumPacketSize: options.wire.maximumPacketSize,
    });
  }

  get isAccepted(): boolean {
    return this.#phase === "accepted";
  }

  /** PUBLISHes of ours without PUBACK. */
  get inFlight(): number {
    return this.#state.inFlight.size;
  }

  /** A new token could be given within this connection, now or in a while. */
  get unansweredSinceMillis(): number | undefined {
    return this.#keepAlive.unansweredSinceMillis;
  }

  get offersReauthentication(): boolean {
    return this.#phase === "accepted" && this.#reauthentication.isOffered;
  }

  /** When `tick` wants to be called, monotonic; `undefined` for not at all. */
  get dueMillis(): number | undefined {
    if (this.#phase === "connecting") return this.#connectedMillis + connackMillisMax;
    if (this.#phase !== "accepted" || this.#isHeld) return undefined;
    const ownDue = earlier(this.#keepAlive.dueMillis, this.#reauthentication.dueMillis);
    return earlier(ownDue, earlier(this.#uplink.dueMillis, this.#subscriptions.dueMillis));
  }

  /** Sends CONNECT; the link must be open. */
  connect(order: ConnectOrder, nowMillis: number): void {
    if (this.#phase !== "idle") return;
    this.#phase = "connecting";
    this.#now = nowMillis;
    this.#connectedMillis = nowMillis;
    this.#keepAlive.set(this.#options.keepAliveSeconds);
    this.#keepAlive.received(nowMillis);
    this.#send(connectPacket(this.#options, order));
  }

  /** Whether {@link reauthenticate} may be called now. */
  mayReauthenticate(nowMillis: number): boolean {
    return this.#phase === "accepted" && this.#reauthentication.mayBegin(nowMillis);
  }

  /**
   * Sends AUTH with a new token; answered by `reauthenticated`, `reauthentication_unanswered` or the end. Ask
   * {@link mayReauthenticate} first.
   *
   * @param answerMillisMax How long the answer may take.
   */
  reauthenticate(token: string, answerMillisMax: number, nowMillis: number): void {
    this.#now = nowMillis;
    this.#send(this.#reauthentication.begin(token, nowMillis, answerMillisMax));
  }

  /** Sends nothing more until {@link release}: another connection is about to go on with this Session. */
  hold(): void {
    this.#isHeld = true;
  }

  /** The other connection did not come about. What became due meanwhile is sent. */
  release(nowMillis: number): void {
    this.#isHeld = false;
    this.#now = nowMillis;
    this.#acknowledge();
  }

  /** Whether a message of this QoS may be sent now. Where only time is missing, `room` is reported when it has come. */
  mayPublish(qos: 0 | 1, nowMillis: number): boolean {
    return this.#phase === "accepted" && !this.#isHeld && this.#uplink.mayPublish(qos, nowMillis);
  }

  /**
   * Sends PUBLISH. Ask {@link mayPublish} first.
   *
   * @param key Comes back in `answered`, QoS 1 only.
   * @returns `too_large` when the bridge's Maximum Packet Size forbids it; nothing was sent then.
   */
  publish(message: OutgoingMessage, key: number, nowMillis: number): "written" | "too_large" {
    this.#now = nowMillis;
    return this.#uplink.publish(message, key, nowMillis);
  }

  /** Asks for the config once more: what was not acknowledged comes again. */
  askForConfig(nowMillis: number): void {
    if (this.#phase !== "accepted" || this.#isHeld) return;
    this.#now = nowMillis;
    const subscribe = this.#subscriptions.askForConfig(nowMillis);
    if (subscribe !== undefined) this.#send(subscribe);
  }

  /**
   * A config or command was handled.
   *
   * @param receipt Of this connection, or of an earlier one of the same Session.
   * @param isTaken false when its handler failed.
   */
  settleDownlink(receipt: DownlinkReceipt, isTaken: boolean, nowMillis: number): void {
    this.#now = nowMillis;
    // 3.1.1 has no word for "I failed": without a PUBACK the bridge sends it to our next connection.
    const failure = this.#options.protocolVersion === 5 ? reasonCode.implementationSpecificError : undefined;
    receipt.answer = { reasonCode: isTaken ? reasonCode.success : failure };
    this.#acknowledge();
  }

  receive(bytes: Uint8Array, nowMillis: number): void {
    if (this.#phase !== "connecting" && this.#phase !== "accepted") return;
    this.#now = nowMillis;
    this.#keepAlive.received(nowMillis);
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
    const judgement = this.#keepAlive.judge(nowMillis);
    if (judgement === "dead") {
      this.#fail("ping_timeout", undefined);
      return;
    }
    if (this.#uplink.isOverdue(nowMillis)) {
      this.#fail("puback_timeout", undefined);
      return;
    }
    if (judgement === "ping") this.#send({ type: "pingreq" });
    if (this.#reauthentication.giveUpIfDue(nowMillis)) {
      this.#output.report({ kind: "reauthentication_unanswered" });
    }
    const subscribe = this.#subscriptions.tick(nowMillis);
    if (subscribe !== undefined) this.#send(subscribe);
    if (this.#uplink.tick(nowMillis)) this.#output.report({ kind: "room" });
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
        this.#takePuback(packet);
        return;
      case "pingresp":
        this.#keepAlive.answered();
        return;
      case "auth":
        this.#takeAuth(packet);
        return;
      case "publish":
        this.#takePublish(packet);
        return;
      case "suback":
        if (!this.#subscriptions.take(packet, this.#now))
          this.#fail("protocol_error", reasonCode.protocolError);
        return;
      case "disconnect":
        this.#end("bridge_disconnected", packet.reasonCode, packet.properties);
        return;
      default:
        // We send no QoS 2 and no UNSUBSCRIBE, so nothing else can be an answer.
        this.#fail("protocol_error", reasonCode.protocolError);
        return;
    }
  }

  #takeConnack(packet: Extract<ServerPacket, { type: "connack" }>): void {
    if (packet.reasonCode !== 0) {
      this.#output.report(this.#refusal(packet));
      this.#end("bridge_disconnected", packet.reasonCode);
      return;
    }
    // A clean session that is present is an error of the bridge (MQTT 5.0 §3.2.2.1.1).
    if (packet.sessionPresent && this.#options.cleanStart) {
      this.#fail("protocol_error", reasonCode.protocolError);
      return;
    }
    this.#phase = "accepted";
    const properties = packet.properties ?? {};
    if (!this.#reauthentication.connected(properties, this.#options.authentication, this.#now)) {
      this.#fail("protocol_error", reasonCode.protocolError);
      return;
    }
    const limits = readBridgeLimits(properties, this.#options.keepAliveSeconds);
    this.#keepAlive.set(limits.keepAliveSeconds);
    if (!limits.hasQos1) {
      this.#fail("not_served", reasonCode.qosNotSupported);
      return;
    }
    this.#uplink.connected(limits);
    const isResumed = packet.sessionPresent;
    if (isResumed) this.#state.resume();
    else this.#state.startOver();
    // A program that was restarted finds its Session at the bridge, and has to ask what is in it.
    if (!this.#state.isSubscribed) this.#send(this.#subscriptions.begin(limits.hasWildcards, this.#now));
    const resent = isResumed ? this.#uplink.resume(this.#now) : 0;
    this.#output.report({ kind: "accepted", isResumed, resent, hints: readBridgeHints(properties) });
  }

  #refusal({ reasonCode, properties }: ConnackPacket): Extract<SessionReport, { kind: "refused" }> {
    const { retryAfterSeconds } = readBridgeHints(properties);
    const hint = this.#timeHint(this.#connectedMillis, properties);
    const refusedFor = readTimeRefusal(properties);
    return {
      kind: "refused",
      reasonCode,
      ...(hint === undefined ? undefined : { hint }),
      ...(refusedFor === undefined ? undefined : { refusedFor }),
      ...(retryAfterSeconds === undefined ? undefined : { retryAfterSeconds }),
      ...readReasonWords(properties),
    };
  }

  /** @param sentMillis When we sent what this answers; `undefined` where it answers nothing. */
  #timeHint(sentMillis: number | undefined, properties: Properties | undefined): TimeHint | undefined {
    const { serverTime } = readBridgeHints(properties);
    if (serverTime === undefined || sentMillis === undefined) return undefined;
    return { serverTime, sentMillis, receivedMillis: this.#now };
  }

  #takePuback(packet: PubackPacket): void {
    const report = this.#uplink.takePuback(packet, this.#now);
    // One we never asked for: harmless, and MQTT gives no answer to it.
    if (report !== undefined) this.#output.report(report);
  }

  #takeAuth(packet: AuthPacket): void {
    const answer = this.#reauthentication.take(packet, this.#now);
    if (answer === "wrong") {
      this.#fail("protocol_error", reasonCode.protocolError);
      return;
    }
    if (answer === "late") return;
    this.#output.report({ kind: "reauthenticated", hints: readBridgeHints(packet.properties) });
  }

  #takePublish(packet: PublishPacket): void {
    const message = this.#intake.take(packet);
    if (typeof message === "number") this.#fail("protocol_error", message);
    else if (message === "repeat") this.#acknowledge();
    else this.#output.report(message);
  }

  /** PUBACKs that may leave now, in their order. */
  #acknowledge(): void {
    if (this.#phase !== "accepted" || this.#isHeld) return;
    for (const answer of this.#state.downlink.takeReady()) this.#send({ type: "puback", ...answer });
  }

  #send(packet: Parameters<typeof encodeClientPacket>[0]): void {
    this.#write(encodeClientPacket(packet, this.#options.protocolVersion));
  }

  #write(bytes: Uint8Array): void {
    this.#keepAlive.sent(this.#now);
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

  #end(because: SessionEnd, code: number | undefined, properties?: Properties): void {
    if (this.#hasEnded()) return;
    this.#phase = "ended";
    this.#output.close();
    const hint = this.#timeHint(this.#reauthentication.sentMillis, properties);
    const refusedFor = readTimeRefusal(properties);
    this.#output.report({
      kind: "ended",
      because,
      ...(code === undefined ? undefined : { reasonCode: code }),
      ...(hint === undefined ? undefined : { hint }),
      ...(refusedFor === undefined ? undefined : { refusedFor }),
      ...readReasonWords(properties),
    });
  }

  // As a method: the compiler would otherwise hold an earlier narrowing of #phase for true.
  #hasEnded(): boolean {
    return this.#phase === "ended";
  }
}
