/**
 * The supervisor: keeps a token, and a connection that rests on it.
 *
 * A renewal goes the shortest way the bridge offers. In MQTT 5 the new token is given within the connection, while
 * everything else goes on. Otherwise a second connection is made in time, one attempt at once: mint if need be, open
 * the link; only when it is up do we stop sending on the old connection, wait a moment for what is in flight, and
 * CONNECT. A renewal that is refused thus costs nothing while the old token lasts. The CONNACK ends the old
 * connection; where the bridge has kept the Session (MQTT 3.1.1), the new one goes on with it.
 *
 * Left to others: believing a clock (`ports.clockTrusted`), minting (`token/token-keeper.ts`), when a renewal is due
 * (`token/renewal-plan.ts`), and what is published (`publisher.ts`).
 */
import { type AgentHandlers, deliver } from "./downlink.ts";
import { GapMeter } from "./gap-meter.ts";
import { OneTimer } from "./one-timer.ts";
import type { AgentSettings } from "./options.ts";
import type { AgentPorts } from "./ports.ts";
import type { Publisher, PublisherCounts } from "./publisher.ts";
import { RenewalInSession } from "./renewal-in-session.ts";
import { AuthenticationForm } from "./session/authentication-form.ts";
import { Backoff } from "./session/backoff.ts";
import { Connection, type ConnectionReport } from "./session/connection.ts";
import { reauthenticationPauseMillis } from "./session/reauthentication.ts";
import { type RefusalAction, refusalOfConnack, refusalOfDisconnect } from "./session/refusal.ts";
import { SessionState } from "./session/session-state.ts";
import type { AgentEvent, AgentState, AgentStatus, RenewalKind } from "./status.ts";
import { RenewalPlan } from "./token/renewal-plan.ts";
import {
  createTokenKeeper,
  type DeviceToken,
  type MintAnswer,
  type TokenKeeper,
} from "./token/token-keeper.ts";

/** Says that this is our own agent: the bridge then insists on `sub`. */
export const agentUserName = "mayfly/1";
/** The same, and that the connection before stays until this one is accepted and goes on with its Session. */
export const handoverUserName = "mayfly/1 handover";
/** At a renewal, how long what is in flight may take to be acknowledged before it is sent again instead. */
export const settleMillisMax = 250;
/** How soon an unbelieved clock is asked again. */
export const clockRetryMillis = 1_000;
/** However little time a token has left, a failed renewal is not repeated sooner. */
export const hurryMillisMin = 1_000;
/** A bridge's deadline is met to a second, and our clock and its may differ by some of that. */
export const expirySlackMillis = 2_000;

export class Supervisor {
  readonly #ports: AgentPorts;
  readonly #settings: AgentSettings;
  readonly #handlers: AgentHandlers;
  readonly #keeper: TokenKeeper;
  readonly #plan: RenewalPlan;
  readonly #publisher: Publisher;
  readonly #backoff: Backoff;
  readonly #form: AuthenticationForm;
  readonly #inSession = new RenewalInSession();
  readonly #tell: (event: AgentEvent) => void;
  readonly #gap = new GapMeter();
  /** The next step: renewal, retry, or the wait for what is in flight. */
  readonly #timer: OneTimer;
  /** What outlives a connection where the Session may be kept. */
  readonly #keptSession = new SessionState();

  #phase: "new" | "running" | "stopped" = "new";
  #state: AgentState = "stopped";
  /** The accepted connection, and the token it rests on. */
  #current:
    | { readonly connection: Connection; readonly token: DeviceToken; readonly acceptedMillis: number }
    | undefined;
  /** The attempt under way, once it has a link. */
  #next:
    | { readonly connection: Connection; readonly token: DeviceToken; readonly isHandover: boolean }
    | undefined;
  #isMinting = false;
  /** The old connection sends nothing more: the next one is about to CONNECT. */
  #isFrozen = false;
  readonly #renewalsBy: Record<RenewalKind, number> = { reauthentication: 0, handover: 0, reconnect: 0 };
  #connects = 0;
  #lastRefusal: string | undefined;

  constructor(
    ports: AgentPorts,
    settings: AgentSettings,
    handlers: AgentHandlers,
    publisher: Publisher,
    tell: (event: AgentEvent) => void,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#handlers = handlers;
    this.#publisher = publisher;
    this.#tell = tell;
    this.#timer = new OneTimer(ports.timers);
    this.#backoff = new Backoff(ports.random);
    this.#form = new AuthenticationForm(settings.protocolVersion);
    this.#plan = new RenewalPlan({ ...settings, pauseMillis: reauthenticationPauseMillis }, ports.random);
    this.#keeper = createTokenKeeper(ports, {
      project: settings.project,
      devicePath: settings.clientIdentifier,
      lifetimeSeconds: settings.lifetimeSeconds,
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
    this.#keeper.cancel();
    this.#isMinting = false;
    this.#next?.connection.leave();
    this.#next = undefined;
    this.#inSession.forget();
    this.#thaw();
    this.#current?.connection.leave();
    this.#current = undefined;
    this.#gap.forget();
    this.#publisher.close();
    this.#enter("stopped");
  }

  /** The connection is given what waits, unless it is about to be replaced. */
  pump(): void {
    const connection = this.#current?.connection;
    if (connection !== undefined && !this.#isFrozen) this.#publisher.give(connection);
  }

  status(): Omit<AgentStatus, "keyId" | "slot" | keyof PublisherCounts> {
    const token = this.#current?.token ?? this.#plan.token;
    const { window } = this.#plan;
    const { reauthentication, handover, reconnect } = this.#renewalsBy;
    return {
      state: this.#state,
      ...(token === undefined || this.#connects === 0
        ? undefined
        : { tokenRemainingSeconds: Math.max(0, (token.expiresMillis - this.#now()) / 1000) }),
      ...(this.#current === undefined ? undefined : { renewal: this.#renewalKind(this.#current.connection) }),
      ...(window === undefined ? undefined : { renewalWindow: window }),
      authentication: this.#form.name,
      renewals: reauthentication + handover + reconnect,
      renewalsBy: { reauthentication, handover, reconnect },
      connects: this.#connects,
      longestGapMillis: this.#gap.longestMillis,
      ...(this.#lastRefusal === undefined ? undefined : { lastRefusal: this.#lastRefusal }),
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
    if (this.#phase !== "running") return;
    const { token, dueMillis } = this.#plan;
    if (token !== undefined && this.#now() < dueMillis) this.#use(token);
    else this.#mint();
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
    this.#isMinting = true;
    this.#showState();
    this.#keeper.mint((answer) => {
      this.#isMinting = false;
      this.#takeMinted(answer);
    });
  }

  #takeMinted(answer: MintAnswer): void {
    switch (answer.kind) {
      case "minted": {
        this.#plan.minted(answer.token);
        this.#tell({ kind: "minted", keyId: this.#ports.signer.keyId, expSeconds: answer.token.exp });
        this.#use(answer.token);
        return;
      }
      case "waiting_for_clock":
        this.#setTimer(clockRetryMillis, () => this.#attempt());
        this.#tell({ kind: "waiting_for_clock", because: answer.because });
        if (this.#current === undefined) this.#enter("waiting_for_clock");
        return;
      case "failed":
        this.#tell({ kind: "sign_failed", because: answer.because });
        this.#tryLater("retry");
        return;
    }
  }

  /** Within the present connection if it may be, else by the next. */
  #use(token: DeviceToken): void {
    const connection = this.#current?.connection;
    const isWithin =
      connection !== undefined &&
      this.#renewalKind(connection) === "reauthentication" &&
      this.#inSession.begin(connection, token, this.#hurryMillis());
    if (isWithin) this.#showState();
    else this.#open(token);
  }

  #open(token: DeviceToken): void {
    // A listener may have stopped the agent from within an event.
    if (this.#phase !== "running") return;
    const { protocolVersion, clientIdentifier, device, keepAliveSeconds, cleanSession } = this.#settings;
    const connection = new Connection(
      this.#ports,
      {
        protocolVersion,
        clientIdentifier,
        device,
        keepAliveSeconds,
        cleanStart: cleanSession,
        authentication: this.#form.name,
      },
      cleanSession ? new SessionState() : this.#keptSession,
      (reporter, report) => this.#takeReport(reporter, report),
    );
    this.#next = { connection, token, isHandover: false };
    this.#showState();
  }

  #takeReport(connection: Connection, report: ConnectionReport): void {
    switch (report.kind) {
      case "opened":
        this.#replaceWhenSettled();
        return;
      case "accepted":
        this.#promote(report);
        return;
      case "refused":
        this.#takeRefusal(report.reasonCode);
        return;
      case "unreachable":
        this.#tell({ kind: "connection_lost", because: report.because });
        this.#nextFailed("retry");
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
        this.#takeAnswer(report.key, report.reasonCode);
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

  /** The new link is up. The old connection now stops sending, so that nothing needs to be sent twice. */
  #replaceWhenSettled(): void {
    const old = this.#current?.connection;
    if (old !== undefined) {
      this.#isFrozen = true;
      // A Session that is handed over is settled by one connection at a time; else each settles its own.
      if (!this.#settings.cleanSession) old.hold();
      this.#gap.open(this.#now());
      if (old.inFlight > 0) {
        this.#setTimer(settleMillisMax, () => this.#connectNext());
        return;
      }
    }
    this.#connectNext();
  }

  /** What was in flight is acknowledged, or has had its time. */
  #connectNext(): void {
    this.#timer.clear();
    if (this.#next === undefined) return;
    const { connection, token } = this.#next;
    const isHandover = !this.#settings.cleanSession && this.#current !== undefined;
    this.#next = { connection, token, isHandover };
    connection.connect({ token: token.text, userName: isHandover ? handoverUserName : agentUserName });
  }

  #promote({ isResumed, resent, hints }: Extract<ConnectionReport, { kind: "accepted" }>): void {
    if (this.#next === undefined) return;
    const { connection, token, isHandover } = this.#next;
    const old = this.#current;
    this.#timer.clear();
    this.#next = undefined;
    this.#isFrozen = false;
    this.#current = { connection, token, acceptedMillis: this.#now() };
    old?.connection.leave();

    const isRenewal = old !== undefined || this.#gap.isOpen;
    const gapMillis = this.#gap.close(this.#now());
    if (old !== undefined) this.#backoff.connectionEnded(this.#now() - old.acceptedMillis);
    this.#connects += 1;
    this.#form.accepted();
    if (isResumed) this.#publisher.goOn(resent);
    else this.#publisher.startOver();
    this.#planRenewal(token, hints);
    this.#enter("connected");
    this.#tell({ kind: "connected", renewal: isRenewal, gapMillis });
    if (isRenewal) this.#countRenewal(isHandover && isResumed ? "handover" : "reconnect", gapMillis);
    this.pump();
  }

  #takeReauthenticated({ hints }: Extract<ConnectionReport, { kind: "reauthenticated" }>): void {
    const token = this.#inSession.accepted();
    if (token === undefined || this.#current === undefined) return;
    this.#current = { ...this.#current, token };
    this.#planRenewal(token, hints);
    this.#showState();
    this.#countRenewal("reauthentication", 0);
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
    this.#setTimer(Math.max(0, this.#plan.dueMillis - this.#now()), () => this.#renew());
  }

  #countRenewal(by: RenewalKind, gapMillis: number): void {
    this.#renewalsBy[by] += 1;
    this.#tell({ kind: "renewed", by, gapMillis });
  }

  #takeRefusal(reasonCode: number): void {
    const refusal = refusalOfConnack(this.#settings.protocolVersion, reasonCode);
    const token = this.#next?.token;
    if (this.#form.refused(reasonCode) && token !== undefined) {
      this.#tell({ kind: "refused", reasonCode, sentence: refusal.sentence, action: "retry" });
      this.#dropNext();
      this.#open(token);
      this.pump();
      return;
    }
    this.#lastRefusal = refusal.sentence;
    if (refusal.action === "mint") this.#plan.refused();
    this.#tell({ kind: "refused", reasonCode, ...refusal });
    this.#nextFailed(refusal.action);
  }

  #takeEnd(connection: Connection, end: Extract<ConnectionReport, { kind: "ended" }>): void {
    const because = connection.linkBecause === "" ? end.because : `${end.because}: ${connection.linkBecause}`;
    if (connection === this.#next?.connection) {
      this.#tell({ kind: "connection_lost", because });
      this.#nextFailed(end.because === "not_served" ? "wait" : "retry");
      return;
    }
    if (connection !== this.#current?.connection) return;

    const { token, acceptedMillis } = this.#current;
    const presented = this.#inSession.ended(end.because);
    this.#current = undefined;
    // Frozen: the bridge has let the new connection take over, whose CONNACK is on its way.
    if (this.#isFrozen) return;

    this.#tell({ kind: "connection_lost", because });
    this.#backoff.connectionEnded(this.#now() - acceptedMillis);
    const action = this.#judgeEnd(end);
    if (presented?.isRefused === true) {
      this.#replaceRefused(action, presented.token, token);
      return;
    }
    if (action === "mint" && this.#plan.token === token) this.#plan.refused();
    // Losing the connection because the token ran out is the credential's doing, and counts as its gap.
    if (action === "mint" || this.#hasRunOut(token)) this.#gap.open(this.#now());
    if (this.#isMinting || this.#next !== undefined) {
      this.#showState();
      return;
    }
    this.#tryLater(action);
  }

  /**
   * A re-authentication cost the connection. At once another: with the old token while that lasts if the new one was
   * refused, else with the new one; whatever the bridge has against an AUTH is nothing against a CONNECT.
   */
  #replaceRefused(action: RefusalAction, presented: DeviceToken, old: DeviceToken): void {
    this.#gap.open(this.#now());
    if (action !== "mint") {
      this.#open(presented);
      return;
    }
    this.#plan.refused();
    if (this.#hasRunOut(old)) {
      this.#tryLater(action);
      return;
    }
    this.#plan.fallBack(old);
    this.#open(old);
  }

  #hasRunOut(token: DeviceToken): boolean {
    return this.#now() >= token.expiresMillis - expirySlackMillis;
  }

  #judgeEnd(end: Extract<ConnectionReport, { kind: "ended" }>): RefusalAction {
    if (end.because !== "bridge_disconnected" || end.reasonCode === undefined) return "reconnect";
    const refusal = refusalOfDisconnect(end.reasonCode);
    this.#lastRefusal = refusal.sentence;
    this.#tell({ kind: "refused", reasonCode: end.reasonCode, ...refusal });
    return refusal.action;
  }

  /** The attempt is over. The present connection, if it lives, sends again. */
  #nextFailed(action: RefusalAction): void {
    this.#dropNext();
    this.#tryLater(action);
    this.pump();
  }

  #dropNext(): void {
    this.#next?.connection.leave();
    this.#next = undefined;
    this.#thaw();
    if (this.#current !== undefined) this.#gap.close(this.#now());
  }

  #thaw(): void {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    this.#current?.connection.release();
  }

  #tryLater(action: RefusalAction): void {
    const wait = action === "wait" ? this.#backoff.nextSeldom() : this.#backoff.next();
    const delay = Math.min(wait, this.#hurryMillis());
    this.#setTimer(delay, () => this.#attempt());
    this.#showState();
  }

  /** The longest wait that makes sense: with a connection that holds, a quarter of what its token has left. */
  #hurryMillis(): number {
    if (this.#current === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(hurryMillisMin, (this.#current.token.expiresMillis - this.#now()) / 4);
  }

  #takeAnswer(sequence: number, reasonCode: number): void {
    this.#publisher.takeAnswer(sequence, reasonCode);
    if (!this.#isFrozen) {
      this.pump();
      return;
    }
    if (this.#current?.connection.inFlight === 0) this.#connectNext();
  }

  #deliver(connection: Connection, message: Extract<ConnectionReport, { kind: "config" | "command" }>): void {
    const { kind, receipt } = message;
    deliver(this.#handlers, message, (verdict) => {
      if (verdict !== "taken") this.#tell({ kind: "handler_failed", of: kind, because: verdict.failed });
      if (receipt === undefined) return;
      // By now another connection may go on with the Session.
      const carrier = this.#current?.connection ?? connection;
      carrier.settleDownlink(receipt, verdict === "taken");
    });
  }

  /** The state that follows from what is under way. */
  #showState(): void {
    if (this.#phase !== "running") return;
    const isTrying = this.#isMinting || this.#next !== undefined || this.#inSession.isUnderWay;
    if (this.#current !== undefined) {
      this.#enter(isTrying ? "renewing" : "connected");
      return;
    }
    if (this.#isMinting) {
      this.#enter("minting");
      return;
    }
    this.#enter(this.#next === undefined ? "backing_off" : "connecting");
  }

  #enter(state: AgentState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell({ kind: "state", state });
  }

  #setTimer(delayMillis: number, run: () => void): void {
    // As in #open.
    if (this.#phase === "running") this.#timer.set(delayMillis, run);
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
