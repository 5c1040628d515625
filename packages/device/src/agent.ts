/**
 * The agent: keeps a token, a connection that rests on it, and an outbox that loses nothing in between.
 *
 * One attempt at a time makes the next connection: mint if need be, open the link, CONNECT. While it is under
 * way the present connection goes on. A renewal is such an attempt made in time: only when its link is up do
 * we stop sending on the old connection, wait a moment for what is in flight, and CONNECT; a renewal that is
 * refused thus costs nothing while the old token lasts. The CONNACK ends the old connection.
 *
 * Left to others: believing a clock (`ports.clockTrusted`), keeping the outbox through a restart, renewal
 * within a session.
 */
import type { CancelTimer } from "@mayfly/core";
import { type AgentOptions, settleOptions } from "./options.ts";
import type { AgentPorts } from "./ports.ts";
import { type PublishAnswer, Publisher, type PublishOptions } from "./publisher.ts";
import { Backoff } from "./session/backoff.ts";
import { Connection, type ConnectionReport } from "./session/connection.ts";
import { type RefusalAction, refusalOfConnack, refusalOfDisconnect } from "./session/refusal.ts";
import type { AgentEvent, AgentState, AgentStatus } from "./status.ts";
import { drawRenewalSeconds } from "./token/renewal.ts";
import {
  createTokenKeeper,
  type DeviceToken,
  type MintAnswer,
  type TokenKeeper,
} from "./token/token-keeper.ts";

/** Says that this is our own agent: the bridge then insists on `sub`. */
export const agentUserName = "mayfly/1";
/** At a renewal, how long what is in flight may take to be acknowledged before it is sent again instead. */
export const settleMillisMax = 250;
/** How soon an unbelieved clock is asked again. */
export const clockRetryMillis = 1_000;
/** However little time a token has left, a failed renewal is not repeated sooner. */
export const hurryMillisMin = 1_000;
/** A bridge's deadline is met to a second, and our clock and its may differ by some of that. */
export const expirySlackMillis = 2_000;
export const listenersMax = 16;

export interface AgentHandlers {
  /** The device's config; acknowledged (PUBACK) once this returns or resolves. */
  readonly config?: (payload: Uint8Array) => void | Promise<void>;
  /** A command; acknowledged likewise. */
  readonly command?: (payload: Uint8Array, subfolder: string) => void | Promise<void>;
}

export interface Agent {
  /** Begins to mint and connect, and keeps at it until `stop`. */
  start(): void;
  /** Takes one telemetry message into the outbox; also before `start` and while not connected. */
  publish(payload: Uint8Array, options?: PublishOptions): PublishAnswer;
  /** As `publish`, to the state topic, QoS 1. */
  publishState(payload: Uint8Array): PublishAnswer;
  /** Sends DISCONNECT and ends; what is not acknowledged is answered `stopped`. */
  stop(): void;
  status(): AgentStatus;
  /** At most {@link listenersMax} listeners, which must not throw. @returns stop listening. */
  onEvent(listener: (event: AgentEvent) => void): () => void;
}

/** @throws {AgentOptionError} @throws {IdError} An option is out of range. */
export function createAgent(ports: AgentPorts, options: AgentOptions, handlers: AgentHandlers = {}): Agent {
  return new DeviceAgent(ports, options, handlers);
}

class DeviceAgent implements Agent {
  readonly #ports: AgentPorts;
  readonly #settings: ReturnType<typeof settleOptions>;
  readonly #handlers: AgentHandlers;
  readonly #keeper: TokenKeeper;
  readonly #publisher: Publisher;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(event: AgentEvent) => void>();

  #phase: "new" | "running" | "stopped" = "new";
  #state: AgentState = "stopped";
  /** The accepted connection, and the token it rests on. */
  #current:
    | { readonly connection: Connection; readonly token: DeviceToken; readonly acceptedMillis: number }
    | undefined;
  /** The attempt under way, once it has a link. */
  #next: { readonly connection: Connection; readonly token: DeviceToken } | undefined;
  #isMinting = false;
  /** Newest token; cleared when the bridge refused it. */
  #token: DeviceToken | undefined;
  #renewalDueMillis = 0;
  /** The one timer of the supervisor: renewal, retry, or the wait for what is in flight. */
  #cancelTimer: CancelTimer | undefined;
  /** The old connection sends nothing more: the next one is about to CONNECT. */
  #isFrozen = false;
  /** Since when a credential has kept messages from being sent. */
  #gapFromMillis: number | undefined;
  #tokensMinted = 0;
  #renewals = 0;
  #connects = 0;
  #longestGapMillis = 0;
  #lastRefusal: string | undefined;

  constructor(ports: AgentPorts, options: AgentOptions, handlers: AgentHandlers) {
    this.#ports = ports;
    this.#settings = settleOptions(options);
    this.#handlers = handlers;
    this.#publisher = new Publisher(this.#settings.device, this.#settings.outbox, (event) =>
      this.#tell(event),
    );
    this.#backoff = new Backoff(ports.random);
    this.#keeper = createTokenKeeper(ports, {
      project: this.#settings.project,
      devicePath: this.#settings.clientIdentifier,
      lifetimeSeconds: this.#settings.lifetimeSeconds,
    });
  }

  start(): void {
    if (this.#phase === "running") return;
    this.#phase = "running";
    this.#attempt();
  }

  stop(): void {
    if (this.#phase === "stopped") return;
    this.#phase = "stopped";
    this.#clearTimer();
    this.#keeper.cancel();
    this.#isMinting = false;
    this.#next?.connection.leave();
    this.#next = undefined;
    this.#current?.connection.leave();
    this.#current = undefined;
    this.#isFrozen = false;
    this.#gapFromMillis = undefined;
    this.#publisher.close();
    this.#enter("stopped");
  }

  publish(payload: Uint8Array, options: PublishOptions = {}): PublishAnswer {
    if (this.#phase === "stopped") return this.#publisher.refuse("stopped");
    const answer = this.#publisher.takeEvent(payload, options);
    this.#pump();
    return answer;
  }

  publishState(payload: Uint8Array): PublishAnswer {
    if (this.#phase === "stopped") return this.#publisher.refuse("stopped");
    const answer = this.#publisher.takeState(payload);
    this.#pump();
    return answer;
  }

  status(): AgentStatus {
    const { slot } = this.#settings;
    const token = this.#current?.token ?? this.#token;
    return {
      state: this.#state,
      keyId: this.#ports.signer.keyId,
      ...(slot === undefined ? undefined : { slot }),
      ...(token === undefined || this.#connects === 0
        ? undefined
        : { tokenRemainingSeconds: Math.max(0, (token.expiresMillis - this.#now()) / 1000) }),
      renewals: this.#renewals,
      connects: this.#connects,
      ...this.#publisher.counts,
      longestGapMillis: this.#longestGapMillis,
      ...(this.#lastRefusal === undefined ? undefined : { lastRefusal: this.#lastRefusal }),
    };
  }

  onEvent(listener: (event: AgentEvent) => void): () => void {
    if (this.#listeners.size >= listenersMax) throw new RangeError(`at most ${listenersMax} listeners`);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Begins the next connection: with the token at hand while its renewal is not due, else with a new one. */
  #attempt(): void {
    this.#clearTimer();
    if (this.#phase !== "running") return;
    if (this.#token !== undefined && this.#now() < this.#renewalDueMillis) {
      this.#open(this.#token);
      return;
    }
    this.#mint();
  }

  /**
   * The renewal is due. A new token in any case: an event loop may run a timer a moment early, and to connect
   * anew with the old token would only bring a second renewal right behind the first.
   */
  #renew(): void {
    this.#renewalDueMillis = Math.min(this.#renewalDueMillis, this.#now());
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
        this.#token = answer.token;
        this.#renewalDueMillis = this.#drawRenewalDue(answer.token);
        this.#tokensMinted += 1;
        this.#tell({ kind: "minted", keyId: this.#ports.signer.keyId, expSeconds: answer.token.exp });
        this.#open(answer.token);
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

  #drawRenewalDue(token: DeviceToken): number {
    const { firstRenewalAfterSeconds, lifetimeSeconds } = this.#settings;
    if (this.#tokensMinted === 0 && firstRenewalAfterSeconds !== undefined) {
      return token.mintedMillis + firstRenewalAfterSeconds * 1000;
    }
    const issuedMillis = token.expiresMillis - lifetimeSeconds * 1000;
    return issuedMillis + drawRenewalSeconds(lifetimeSeconds, this.#ports.random) * 1000;
  }

  #open(token: DeviceToken): void {
    const { protocolVersion, clientIdentifier, device, keepAliveSeconds } = this.#settings;
    if (this.#phase !== "running") return;
    const connection = new Connection(
      this.#ports,
      { protocolVersion, clientIdentifier, device, userName: agentUserName, keepAliveSeconds },
      (reporter, report) => this.#takeReport(reporter, token, report),
    );
    this.#next = { connection, token };
    this.#showState();
  }

  #takeReport(connection: Connection, token: DeviceToken, report: ConnectionReport): void {
    switch (report.kind) {
      case "opened":
        this.#replaceWhenSettled(connection, token);
        return;
      case "accepted":
        this.#promote(connection, token);
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
  #replaceWhenSettled(connection: Connection, token: DeviceToken): void {
    const old = this.#current?.connection;
    if (old !== undefined) {
      this.#isFrozen = true;
      this.#gapFromMillis ??= this.#now();
      if (old.inFlight > 0) {
        this.#setTimer(settleMillisMax, () => connection.connect(token.text));
        return;
      }
    }
    connection.connect(token.text);
  }

  #promote(connection: Connection, token: DeviceToken): void {
    this.#clearTimer();
    const old = this.#current;
    this.#next = undefined;
    this.#isFrozen = false;
    this.#current = { connection, token, acceptedMillis: this.#now() };
    old?.connection.leave();

    const isRenewal = old !== undefined || this.#gapFromMillis !== undefined;
    const gapMillis = this.#endGap();
    if (old !== undefined) this.#backoff.connectionEnded(this.#now() - old.acceptedMillis);
    this.#connects += 1;
    if (isRenewal) this.#renewals += 1;

    this.#setTimer(Math.max(0, this.#renewalDueMillis - this.#now()), () => this.#renew());
    this.#publisher.startOver();
    this.#enter("connected");
    this.#tell({ kind: "connected", renewal: isRenewal, gapMillis });
    this.#pump();
  }

  /** @returns How long a credential kept messages from being sent, 0 when none did. */
  #endGap(): number {
    const gapMillis = this.#gapFromMillis === undefined ? 0 : this.#now() - this.#gapFromMillis;
    this.#gapFromMillis = undefined;
    this.#longestGapMillis = Math.max(this.#longestGapMillis, gapMillis);
    return gapMillis;
  }

  #takeRefusal(reasonCode: number): void {
    const refusal = refusalOfConnack(this.#settings.protocolVersion, reasonCode);
    this.#lastRefusal = refusal.sentence;
    if (refusal.action === "mint") this.#token = undefined;
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
    this.#current = undefined;
    // Frozen: the bridge has let the new connection take over, whose CONNACK is on its way.
    if (this.#isFrozen) return;

    this.#tell({ kind: "connection_lost", because });
    this.#backoff.connectionEnded(this.#now() - acceptedMillis);
    const action = this.#judgeEnd(end);
    if (action === "mint" && this.#token === token) this.#token = undefined;
    // Losing the connection because the token ran out is the credential's doing, and counts as its gap.
    const hasRunOut = this.#now() >= token.expiresMillis - expirySlackMillis;
    if (action === "mint" || hasRunOut) this.#gapFromMillis ??= this.#now();
    if (this.#isMinting || this.#next !== undefined) {
      this.#showState();
      return;
    }
    this.#tryLater(action);
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
    this.#next?.connection.leave();
    this.#next = undefined;
    this.#isFrozen = false;
    if (this.#current !== undefined) this.#endGap();
    this.#tryLater(action);
    this.#pump();
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
      this.#pump();
      return;
    }
    if (this.#current?.connection.inFlight === 0) this.#connectNext();
  }

  /** What was in flight is acknowledged: the renewal need not wait any longer. */
  #connectNext(): void {
    this.#clearTimer();
    this.#next?.connection.connect(this.#next.token.text);
  }

  /** The connection is given what waits, unless it is about to be replaced. */
  #pump(): void {
    const connection = this.#current?.connection;
    if (connection !== undefined && !this.#isFrozen) this.#publisher.give(connection);
  }

  #deliver(connection: Connection, report: Extract<ConnectionReport, { kind: "config" | "command" }>): void {
    const { kind, payload, subfolder, packetIdentifier } = report;
    const settle = (isTaken: boolean): void => {
      if (packetIdentifier !== undefined) connection.settleDownlink(packetIdentifier, isTaken);
    };
    const fail = (error: unknown): void => {
      this.#tell({
        kind: "handler_failed",
        of: kind,
        because: error instanceof Error ? error.name : "threw",
      });
      settle(false);
    };
    try {
      const { config, command } = this.#handlers;
      const handled = kind === "config" ? config?.(payload) : command?.(payload, subfolder);
      if (handled === undefined) settle(true);
      else handled.then(() => settle(true), fail);
    } catch (error) {
      fail(error);
    }
  }

  /** The state that follows from what is under way. */
  #showState(): void {
    if (this.#phase !== "running") return;
    const isTrying = this.#isMinting || this.#next !== undefined;
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

  #tell(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #setTimer(delayMillis: number, run: () => void): void {
    this.#clearTimer();
    // A listener may have stopped the agent from within an event.
    if (this.#phase !== "running") return;
    this.#cancelTimer = this.#ports.timers.after(delayMillis, () => {
      this.#cancelTimer = undefined;
      run();
    });
  }

  #clearTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
