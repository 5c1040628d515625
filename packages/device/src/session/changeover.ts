/**
 * Changeover: the connection in use, and at most one that is to take its place, make before break.
 *
 * Only when the new link is up does the old connection stop sending; what it has in flight gets a moment to be
 * acknowledged, so that little has to be sent twice; then the new one sends CONNECT. Its CONNACK ends the old
 * connection; a failure sets the old one free as if nothing had been. Where the Session may be kept (MQTT 3.1.1,
 * Clean Session 0), both share it: the new one says `handover` and goes on with it.
 *
 * Left to others: when and with which token (`supervisor.ts`).
 */
import { OneTimer } from "../one-timer.ts";
import type { AgentSettings } from "../options.ts";
import type { AgentPorts } from "../ports.ts";
import type { DeviceToken } from "../token/token-keeper.ts";
import type { AuthenticationFormName } from "./authentication-form.ts";
import { Connection, type ConnectionReport } from "./connection.ts";
import { SessionState } from "./session-state.ts";

/** Says that this is our own agent: the bridge then insists on `sub`. */
export const agentUserName = "mayfly/1";
/** The same, and that the connection before stays until this one is accepted and goes on with its Session. */
export const handoverUserName = "mayfly/1 handover";
/** How long what is in flight may take to be acknowledged before it is sent again instead. */
export const settleMillisMax = 250;

/** The accepted connection, and the token it rests on. */
export interface InUse {
  readonly connection: Connection;
  readonly token: DeviceToken;
  /** Since when there has been a connection in use without a break. */
  readonly sinceMillis: number;
}

interface Next {
  readonly connection: Connection;
  readonly token: DeviceToken;
  /** Said in its CONNECT, once that is sent. */
  isHandover: boolean;
  /** When the connection it was to replace ended, if it did not wait for it. */
  aloneSinceMillis?: number;
}

export class Changeover {
  readonly #ports: Pick<AgentPorts, "clock" | "timers" | "connect">;
  readonly #settings: AgentSettings;
  readonly #report: (connection: Connection, report: ConnectionReport) => void;
  /** The wait for what is in flight. */
  readonly #timer: OneTimer;
  /** What outlives a connection where the Session may be kept. */
  readonly #keptSession = new SessionState();
  #current: InUse | undefined;
  #next: Next | undefined;
  #isFrozen = false;

  constructor(
    ports: Pick<AgentPorts, "clock" | "timers" | "connect">,
    settings: AgentSettings,
    report: (connection: Connection, report: ConnectionReport) => void,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#report = report;
    this.#timer = new OneTimer(ports.timers);
  }

  get current(): InUse | undefined {
    return this.#current;
  }

  get isUnderWay(): boolean {
    return this.#next !== undefined;
  }

  /** The connection that may be given messages. */
  get sender(): Connection | undefined {
    return this.#isFrozen ? undefined : this.#current?.connection;
  }

  /** Of the connection that is to take over. */
  get nextToken(): DeviceToken | undefined {
    return this.#next?.token;
  }

  isNext(connection: Connection): boolean {
    return connection === this.#next?.connection;
  }

  /** Begins a connection; a report `opened` comes when its link is up. */
  open(token: DeviceToken, authentication: AuthenticationFormName): void {
    const { protocolVersion, clientIdentifier, device, keepAliveSeconds, cleanSession, wire } =
      this.#settings;
    const connection = new Connection(
      this.#ports,
      {
        protocolVersion,
        clientIdentifier,
        device,
        keepAliveSeconds,
        cleanStart: cleanSession,
        authentication,
        wire,
      },
      cleanSession ? new SessionState() : this.#keptSession,
      this.#report,
    );
    this.#next = { connection, token, isHandover: false };
  }

  /** The new link is up. */
  opened(): void {
    const old = this.#current?.connection;
    if (old !== undefined) {
      this.#isFrozen = true;
      // A Session that is handed over is settled by one connection at a time; else each settles its own.
      if (!this.#settings.cleanSession) old.hold();
      if (old.inFlight > 0) {
        this.#timer.set(settleMillisMax, () => this.#connect());
        return;
      }
    }
    this.#connect();
  }

  /** The old connection had a message acknowledged. */
  answered(): void {
    if (this.#isFrozen && this.#current?.connection.inFlight === 0) this.#connect();
  }

  /** The new connection is accepted, and in use from now on. @returns What it replaced, or since when there was none. */
  accepted():
    | (Pick<Next, "token" | "isHandover" | "aloneSinceMillis"> & { readonly old: InUse | undefined })
    | undefined {
    if (this.#next === undefined) return undefined;
    const old = this.#current;
    const { connection, token, isHandover, aloneSinceMillis } = this.#next;
    this.#timer.clear();
    this.#next = undefined;
    this.#isFrozen = false;
    this.#current = {
      connection,
      token,
      sinceMillis: old?.sinceMillis ?? this.#ports.clock.monotonicMillis(),
    };
    old?.connection.leave();
    return { old, token, isHandover, ...(aloneSinceMillis === undefined ? undefined : { aloneSinceMillis }) };
  }

  /** The new connection has come to nothing. @returns The token it was to rest on. */
  drop(): DeviceToken | undefined {
    const token = this.#next?.token;
    this.#timer.clear();
    this.#next?.connection.leave();
    this.#next = undefined;
    if (this.#isFrozen) this.#current?.connection.release();
    this.#isFrozen = false;
    return token;
  }

  /**
   * The connection in use has ended.
   *
   * @returns What it was, or `undefined` when there is nothing to be done: it was none of ours, or the bridge has let
   *   the new connection take over, whose CONNACK is on its way.
   */
  lost(connection: Connection): InUse | undefined {
    const lost = this.#current;
    if (connection !== lost?.connection) return undefined;
    this.#current = undefined;
    if (this.#next !== undefined) this.#next.aloneSinceMillis = this.#ports.clock.monotonicMillis();
    return this.#isFrozen ? undefined : lost;
  }

  /** The connection in use rests on another token. */
  renewed(token: DeviceToken): void {
    if (this.#current !== undefined) this.#current = { ...this.#current, token };
  }

  /** Takes leave on both, and keeps nothing of the Session: whoever waited for its messages was told. */
  leave(): void {
    this.drop();
    this.#current?.connection.leave();
    this.#current = undefined;
    this.#keptSession.startOver();
  }

  #connect(): void {
    this.#timer.clear();
    if (this.#next === undefined) return;
    const { connection, token } = this.#next;
    const isHandover = !this.#settings.cleanSession && this.#current !== undefined;
    this.#next.isHandover = isHandover;
    connection.connect({ token: token.text, userName: isHandover ? handoverUserName : agentUserName });
  }
}
