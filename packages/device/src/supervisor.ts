/**
 * The supervisor: keeps a token in use, and a connection that rests on it.
 *
 * A renewal goes the shortest way the bridge offers. In MQTT 5 the new token is given within the connection, while
 * everything else goes on; otherwise by a second connection, made in time. One step is under way at once: asking the
 * clock, minting, an AUTH, an attempt to connect, or the wait for the next of them. A step that fails is tried again
 * while the old token lasts, the sooner the less that has left; without a connection, by the backoff of its cause.
 *
 * Left to others: believing a clock (`ports.time`), minting (`token/token-keeper.ts`), when a renewal is due
 * (`token/renewal-plan.ts`), what an answer means (`session/refusal.ts`), one connection in place of another
 * (`session/changeover.ts`), and what is published (`publisher.ts`).
 */
import { utf8Encode } from "@mayfly/core";
import { isReservedCommand } from "@mayfly/core/instruction";
import { type AgentHandlers, Downlink } from "./downlink.ts";
import type { KeyChoice } from "./key/key-choice.ts";
import { OneTimer } from "./one-timer.ts";
import type { AgentSettings } from "./options.ts";
import type { AgentPorts } from "./ports.ts";
import type { Publisher, PublisherCounts } from "./publisher.ts";
import { RenewalInSession } from "./renewal-in-session.ts";
import { AuthenticationForm } from "./session/authentication-form.ts";
import { Backoff, type BackoffCause } from "./session/backoff.ts";
import { Changeover, settleMillisMax } from "./session/changeover.ts";
import type { Connection, ConnectionReport } from "./session/connection.ts";
import { reauthenticationPauseMillis } from "./session/reauthentication.ts";
import { backoffCauseOf, type RefusalAction, refusalOfConnack } from "./session/refusal.ts";
import { findRememberedForm } from "./session/remembered-form.ts";
import { causeOfFailedAttempt, judgeEnd } from "./session/verdict.ts";
import { Standing } from "./standing.ts";
import type { AgentEvent, AgentStatus, RenewalKind } from "./status.ts";
import { RenewalPlan } from "./token/renewal-plan.ts";
import type { DeviceToken } from "./token/token-keeper.ts";
import { type SupplyAnswer, TokenSupply } from "./token/token-supply.ts";

/** How soon an unbelieved clock is asked again. */
export const clockRetryMillis = 1_000;
/** However little time a token has left, a failed renewal is not repeated sooner. */
export const hurryMillisMin = 1_000;
/** From a link that is up to a CONNECT that is judged: what is in flight is let settle, and then a second. */
export const presentationMillis = settleMillisMax + 1_000;
/** A bridge's deadline is met to a second, and our clock and its may differ by some of that. */
export const expirySlackMillis = 2_000;

export class Supervisor {
  readonly #ports: AgentPorts;
  readonly #keys: KeyChoice;
  readonly #settings: AgentSettings;
  readonly #downlink: Downlink;
  readonly #supply: TokenSupply;
  readonly #plan: RenewalPlan;
  readonly #publisher: Publisher;
  readonly #backoff: Backoff;
  readonly #form: AuthenticationForm;
  readonly #inSession = new RenewalInSession();
  readonly #tell: (event: AgentEvent) => void;
  readonly #standing: Standing;
  readonly #changeover: Changeover;
  /** The next step. */
  readonly #timer: OneTimer;

  #phase: "new" | "running" | "stopped" = "new";

  constructor(
    ports: AgentPorts,
    keys: KeyChoice,
    settings: AgentSettings,
    handlers: AgentHandlers,
    publisher: Publisher,
    tell: (event: AgentEvent) => void,
  ) {
    this.#ports = ports;
    this.#keys = keys;
    this.#settings = settings;
    this.#downlink = new Downlink(
      ports,
      settings,
      handlers,
      () => this.#changeover.sender?.askForConfig(),
      tell,
    );
    this.#publisher = publisher;
    this.#tell = tell;
    this.#standing = new Standing(tell);
    this.#timer = new OneTimer(ports.timers);
    this.#changeover = new Changeover(ports, settings, (connection, report) =>
      this.#takeReport(connection, report),
    );
    this.#backoff = new Backoff(ports.random);
    this.#form = new AuthenticationForm(settings.protocolVersion, findRememberedForm(ports, settings));
    const { project, clientIdentifier: devicePath, lifetimeSeconds, firstRenewalAfterSeconds } = settings;
    const pauseMillis = reauthenticationPauseMillis;
    this.#plan = new RenewalPlan({ firstRenewalAfterSeconds, pauseMillis }, ports.random);
    this.#supply = new TokenSupply(ports, keys, { project, devicePath, lifetimeSeconds }, (outcome) =>
      tell({ kind: "clock_asked", outcome }),
    );
    keys.attach({
      devicePath,
      sha256: ports.sha256,
      readiness: () => ports.time.readiness(),
      keyChanged: () => this.#useOtherKey(),
      send: (subfolder, text) => this.#send(subfolder, text),
      tell,
    });
  }

  get isStopped(): boolean {
    return this.#phase === "stopped";
  }

  start(): void {
    if (this.#phase === "running") return;
    this.#phase = "running";
    this.#attempt();
  }

  /** Takes leave of the bridge; the publisher is closed. */
  stop(): void {
    if (this.#phase === "stopped") return;
    this.#phase = "stopped";
    this.#timer.clear();
    this.#supply.cancel();
    this.#standing.backOffNoMore();
    this.#inSession.forget();
    this.#changeover.leave();
    this.#standing.gap.forget();
    this.#publisher.close();
    this.#downlink.close();
    this.#standing.enter("stopped");
  }

  /** The connection is given what waits, unless it is about to be replaced. */
  pump(): void {
    const connection = this.#changeover.sender;
    if (connection !== undefined) this.#publisher.give(connection);
  }

  status(): Omit<AgentStatus, "keyId" | "slot" | keyof PublisherCounts> {
    const { current } = this.#changeover;
    const token = current?.token ?? this.#plan.token;
    const { window } = this.#plan;
    const sinceMillis = current?.connection.unansweredSinceMillis;
    const { configVersion } = this.#downlink;
    return {
      ...this.#standing.facts(this.#now()),
      ...(sinceMillis === undefined ? undefined : { unansweredSeconds: (this.#now() - sinceMillis) / 1000 }),
      ...(token === undefined || this.#standing.connects === 0
        ? undefined
        : { tokenRemainingSeconds: Math.max(0, (token.expiresMillis - this.#now()) / 1000) }),
      ...(current === undefined ? undefined : { renewal: this.#renewalKind(current.connection) }),
      ...(window === undefined ? undefined : { renewalWindow: window }),
      authentication: this.#form.name,
      ...(configVersion === undefined ? undefined : { configVersion }),
    };
  }

  #renewalKind(connection: Connection): RenewalKind {
    // After a refusal a CONNECT is the safer way: it costs nothing when it is refused as well.
    if (this.#inSession.isFor(connection) && !this.#plan.hasFallenBack) return "reauthentication";
    return this.#settings.cleanSession ? "reconnect" : "handover";
  }

  /** Takes the next step towards a newer token in use: with the token at hand while its renewal is not due. */
  #attempt(): void {
    this.#timer.clear();
    this.#standing.backOffNoMore();
    if (this.#phase !== "running") return;
    const { token, dueMillis } = this.#plan;
    if (token !== undefined && this.#now() < dueMillis && !this.#isOfOtherKey(token)) this.#use(token);
    else this.#mint();
  }

  /** Another key signs from now on. What is under way goes on; what comes after it asks for the key. */
  #useOtherKey(): void {
    const isUnderWay = this.#supply.isUnderWay || this.#changeover.isUnderWay || this.#inSession.isUnderWay;
    if (!isUnderWay) this.#renew();
  }

  #isOfOtherKey(token: DeviceToken): boolean {
    return token.keyId !== this.#keys.signer.keyId;
  }

  /**
   * The renewal is due. A new token in any case: an event loop may run a timer a moment early, and to use the
   * old token anew would only bring a second renewal right behind the first.
   */
  #renew(): void {
    this.#plan.dueNow(this.#now());
    this.#attempt();
  }

  #mint(): void {
    this.#supply.ask((answer) => this.#takeMinted(answer));
    this.#showState();
  }

  #takeMinted(answer: SupplyAnswer): void {
    if (answer.kind === "minted" || answer.kind === "failed") this.#standing.waitNoMore();
    switch (answer.kind) {
      case "minted":
        this.#plan.minted(answer.token);
        this.#tell({ kind: "minted", keyId: answer.token.keyId, expSeconds: answer.token.exp });
        this.#use(answer.token);
        return;
      case "waiting_for_clock":
        this.#standing.wait(answer.because);
        if (this.#useOld()) return;
        this.#setTimer(clockRetryMillis, () => this.#attempt());
        this.#showState();
        return;
      case "failed":
        this.#tell({ kind: "sign_failed", because: answer.because });
        this.#keys.signFailed(this.#keys.signer.keyId);
        this.#standing.fail("no_key", answer.because);
        if (!this.#useOld()) this.#tryLater("no_key");
        return;
      case "clock_unchanged":
        this.#tryLater("refused");
        return;
    }
  }

  /** No new token can be had, and the connection was lost: the token before serves on while it lasts. */
  #useOld(): boolean {
    const { token } = this.#plan;
    if (this.#changeover.current !== undefined || token === undefined || !this.#isSafe(token)) return false;
    this.#open(token);
    return true;
  }

  /** Within the present connection if it may be, else by the next. */
  #use(token: DeviceToken): void {
    const { connection, token: present } = this.#changeover.current ?? {};
    // Another key comes by another connection: refused in this one, it would cost it.
    const isWithin =
      connection !== undefined &&
      present?.keyId === token.keyId &&
      this.#renewalKind(connection) === "reauthentication" &&
      this.#inSession.begin(connection, token, this.#hurryMillis());
    if (isWithin) this.#showState();
    else this.#open(token);
  }

  #open(token: DeviceToken): void {
    // A listener may have stopped the agent from within an event.
    if (this.#phase !== "running") return;
    this.#form.recall(token.iat);
    this.#changeover.open(token, this.#form.name);
    this.#showState();
  }

  #takeReport(connection: Connection, report: ConnectionReport): void {
    switch (report.kind) {
      case "opened":
        this.#linkOpened();
        return;
      case "accepted":
        this.#takeAccepted(report);
        return;
      case "refused":
        this.#takeRefusal(report);
        return;
      case "unreachable":
        this.#lost(report.because, "network");
        this.#nextFailed("network");
        return;
      case "ended":
        this.#takeEnd(connection, report);
        return;
      case "reauthenticated":
        this.#takeReauthenticated(report);
        return;
      case "reauthentication_unanswered":
        this.#replaceUnanswered();
        return;
      case "answered":
        this.#publisher.takeAnswer(report.key, report.reasonCode);
        this.#changeover.answered();
        this.pump();
        return;
      case "postponed":
        this.#tell({ ...report, kind: "message_postponed" });
        return;
      case "room":
        this.pump();
        return;
      case "subscription_refused":
        this.#tell(report);
        return;
      case "config":
      case "command":
        this.#deliver(connection, report);
        return;
    }
  }

  /** What cannot be sent from now on until the CONNACK waits because of a credential. */
  #linkOpened(): void {
    const { nextToken } = this.#changeover;
    // The link took so long that the token may be refused by now: it is not worth asking.
    if (nextToken !== undefined && !this.#isSafe(nextToken)) {
      this.#nextFailed("network");
      return;
    }
    if (this.#changeover.current !== undefined) this.#standing.gap.open(this.#now());
    this.#changeover.opened();
  }

  #takeAccepted({ isResumed, resent, hints }: Extract<ConnectionReport, { kind: "accepted" }>): void {
    const change = this.#changeover.accepted();
    if (change === undefined) return;
    const { old, token, isHandover, aloneSinceMillis } = change;
    // Where there is one link at a time, the new connection has cost the old one. An attempt that fails is another matter:
    // what comes after it is the network's doing.
    if (aloneSinceMillis !== undefined) this.#standing.gap.open(aloneSinceMillis);
    const isReplacement = old !== undefined || this.#standing.gap.isOpen;
    const gapMillis = this.#standing.gap.close(this.#now());
    this.#form.accepted(token.iat);
    if (isResumed) this.#publisher.goOn(resent);
    else this.#publisher.startOver();
    this.#planRenewal(token, hints);
    const by = isHandover && isResumed ? "handover" : "reconnect";
    // A token that serves on because a newer one was refused is no new one.
    const isRenewal = isReplacement && !this.#plan.hasFallenBack;
    this.#standing.connected(gapMillis, isRenewal ? by : undefined);
    // Last, since it may publish: what is sent again goes first.
    this.#keys.accepted(token.keyId);
    this.pump();
  }

  #takeReauthenticated({ hints }: Extract<ConnectionReport, { kind: "reauthenticated" }>): void {
    const token = this.#inSession.accepted();
    if (token === undefined) return;
    this.#changeover.renewed(token);
    this.#planRenewal(token, hints);
    this.#showState();
    this.#standing.renewed("reauthentication", 0);
    this.#keys.accepted(token.keyId);
  }

  /** The connection is good for what it is doing; the new token comes into use by another. */
  #replaceUnanswered(): void {
    const token = this.#inSession.unanswered();
    if (token === undefined) return;
    this.#tell({ kind: "reauthentication_unanswered" });
    this.#use(token);
  }

  #planRenewal(token: DeviceToken, hints: Extract<ConnectionReport, { kind: "accepted" }>["hints"]): void {
    this.#plan.accepted(token, hints, this.#now());
    if (!this.#plan.hasFallenBack) {
      this.#supply.taken();
      this.#standing.mended();
    }
    const delay = this.#isOfOtherKey(token) ? 0 : Math.max(0, this.#plan.dueMillis - this.#now());
    this.#setTimer(delay, () => this.#renew());
  }

  #takeRefusal(report: Extract<ConnectionReport, { kind: "refused" }>): void {
    const { reasonCode, hint, refusedFor } = report;
    const refusal = refusalOfConnack(this.#settings.protocolVersion, reasonCode);
    // Who says what time it is is our own bridge, which knows the method: this is about the token.
    const isOurBridge = hint !== undefined || refusedFor !== undefined;
    if (!isOurBridge && this.#form.refused(reasonCode)) {
      this.#tell({ kind: "refused", reasonCode, sentence: refusal.sentence, action: "retry" });
      const token = this.#dropNext();
      if (token !== undefined) this.#open(token);
      this.pump();
      return;
    }
    this.#standing.refused(reasonCode, refusal, report, this.#supply.clockAheadSeconds(hint));
    if (refusal.action !== "mint") {
      this.#nextFailed(backoffCauseOf[refusal.action], report.retryAfterSeconds);
      return;
    }
    this.#plan.refused();
    if (this.#supply.refused(report)) {
      this.#dropNext();
      this.#attempt();
      this.pump();
      return;
    }
    const { nextToken } = this.#changeover;
    if (nextToken !== undefined && refusedFor === undefined) this.#keys.refused(nextToken.keyId);
    this.#nextFailed("refused");
  }

  #takeEnd(connection: Connection, end: Extract<ConnectionReport, { kind: "ended" }>): void {
    const because = connection.linkBecause === "" ? end.because : `${end.because}: ${connection.linkBecause}`;
    if (this.#changeover.isNext(connection)) {
      const cause = causeOfFailedAttempt(end.because);
      this.#lost(because, cause);
      this.#nextFailed(cause);
      return;
    }
    const lost = this.#changeover.lost(connection);
    if (lost === undefined) return;
    const { token, sinceMillis } = lost;
    const presented = this.#inSession.ended(end.because);

    const heldMillis = this.#now() - sinceMillis;
    this.#backoff.connectionEnded(heldMillis);
    const { action, cause, refusal } = judgeEnd(end, heldMillis);
    this.#lost(because, cause);
    if (refusal !== undefined && end.reasonCode !== undefined) {
      this.#standing.refused(end.reasonCode, refusal, end, this.#supply.clockAheadSeconds(end.hint));
    }
    if (presented?.isRefused === true) {
      this.#replaceRefused(action, presented.token, token, end);
      return;
    }
    if (action === "mint" && this.#plan.token === token) this.#plan.refused();
    if (end.refusedFor !== undefined && this.#isSafe(token)) this.#supply.doubtClock(undefined);
    // Losing the connection because the token ran out is the credential's doing, and counts as its gap.
    if (action === "mint" || this.#hasRunOut(token)) this.#standing.gap.open(this.#now());
    if (this.#supply.isUnderWay || this.#changeover.isUnderWay) {
      this.#showState();
      return;
    }
    this.#tryLater(cause);
  }

  /**
   * A re-authentication cost the connection. At once another: with the old token while that lasts if the new one was
   * refused, else with the new one; whatever the bridge has against an AUTH is nothing against a CONNECT. Only a
   * bridge that is busy is given its time.
   */
  #replaceRefused(
    action: RefusalAction,
    presented: DeviceToken,
    old: DeviceToken,
    { refusedFor, hint }: Extract<ConnectionReport, { kind: "ended" }>,
  ): void {
    this.#standing.gap.open(this.#now());
    if (action === "retry") {
      this.#tryLater("busy");
      return;
    }
    if (action !== "mint") {
      this.#open(presented);
      return;
    }
    this.#plan.refused();
    if (refusedFor !== undefined) this.#supply.doubtClock(hint);
    if (!this.#isSafe(old)) {
      this.#tryLater("refused");
      return;
    }
    this.#plan.fallBack(old);
    this.#open(old);
  }

  /** No bridge with a right clock refuses it for its age, if it is presented now. */
  #isSafe(token: DeviceToken): boolean {
    return this.#now() < token.safeMillis - presentationMillis;
  }

  #hasRunOut(token: DeviceToken): boolean {
    return this.#now() >= token.safeMillis - expirySlackMillis;
  }

  #lost(because: string, cause: BackoffCause): void {
    this.#tell({ kind: "connection_lost", because });
    this.#standing.fail(cause, because);
  }

  /** The attempt is over. The present connection, if it lives, sends again. */
  #nextFailed(cause: BackoffCause, retryAfterSeconds?: number): void {
    this.#dropNext();
    this.#tryLater(cause, retryAfterSeconds);
    this.pump();
  }

  #dropNext(): DeviceToken | undefined {
    const token = this.#changeover.drop();
    if (this.#changeover.current !== undefined) this.#standing.gap.close(this.#now());
    return token;
  }

  #tryLater(because: BackoffCause, retryAfterSeconds = 0): void {
    const delay = Math.min(this.#backoff.next(because, retryAfterSeconds * 1000), this.#hurryMillis());
    this.#setTimer(delay, () => this.#attempt());
    this.#standing.backOff(because, this.#now() + delay);
    this.#showState();
  }

  /** The longest wait that makes sense: with a connection that holds, a quarter of what its token has left. */
  #hurryMillis(): number {
    const { current } = this.#changeover;
    if (current === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(hurryMillisMin, (current.token.safeMillis - this.#now()) / 4);
  }

  #deliver(connection: Connection, message: Extract<ConnectionReport, { kind: "config" | "command" }>): void {
    const { kind, receipt } = message;
    const settle = (isTaken: boolean): void => {
      if (receipt === undefined) return;
      // By now another connection may go on with the Session.
      const carrier = this.#changeover.current?.connection ?? connection;
      carrier.settleDownlink(receipt, isTaken);
    };
    if (kind === "command" && isReservedCommand(message.subfolder)) {
      this.#keys.take(message.subfolder, message.payload).then(
        () => settle(true),
        () => settle(false),
      );
      return;
    }
    this.#downlink.take(message, (verdict) => settle(verdict === "taken"));
  }

  /** A message of ours takes the application's way, and its place in the order. */
  #send(subfolder: string, text: string): boolean {
    if (this.isStopped) return false;
    const answer = this.#publisher.postEvent(utf8Encode(text), { subfolder });
    this.pump();
    return answer === "accepted";
  }

  /** The state that follows from what is under way. */
  #showState(): void {
    if (this.#phase !== "running") return;
    this.#standing.show({
      isConnected: this.#changeover.current !== undefined,
      isMinting: this.#supply.isUnderWay,
      isConnecting: this.#changeover.isUnderWay,
      isReauthenticating: this.#inSession.isUnderWay,
    });
  }

  #setTimer(delayMillis: number, run: () => void): void {
    // As in #open.
    if (this.#phase === "running") this.#timer.set(delayMillis, run);
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
