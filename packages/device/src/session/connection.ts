/**
 * One Network Connection of the agent: a link, the session machine on it, and their timers.
 *
 * Left to others: when to open one, and with which token.
 */
import type { ByteLink, CancelTimer } from "@mayfly/core";
import type { OutgoingMessage } from "../outbox.ts";
import type { AgentPorts, LinkEvents } from "../ports.ts";
import type { DownlinkReceipt } from "./downlink-acknowledgements.ts";
import { Session } from "./session.ts";
import type { ConnectOrder, SessionOptions, SessionOutput, SessionReport } from "./session-report.ts";
import type { SessionState } from "./session-state.ts";

/** For name look-up, TCP and TLS together. */
export const linkOpenMillisMax = 20_000;

export type ConnectionReport =
  | SessionReport
  /** The link is up: `connect` may be called. */
  | { readonly kind: "opened" }
  /** The link never came up; the last report. */
  | { readonly kind: "unreachable"; readonly because: string };

/** The link's events and the session's output are this object's own methods: functions made for each would be dearer. */
export class Connection implements LinkEvents, SessionOutput {
  readonly #ports: Pick<AgentPorts, "clock" | "timers">;
  readonly #session: Session;
  readonly #link: ByteLink;
  #report: ((connection: Connection, report: ConnectionReport) => void) | undefined;
  #opened = false;
  #linkIsOver = false;
  #linkBecause = "";
  #timer: { readonly dueMillis: number; readonly cancel: CancelTimer } | undefined;

  constructor(
    ports: Pick<AgentPorts, "clock" | "timers" | "connect">,
    options: SessionOptions,
    state: SessionState,
    report: (connection: Connection, report: ConnectionReport) => void,
  ) {
    this.#ports = ports;
    this.#report = report;
    this.#session = new Session(options, state, this);
    this.#link = ports.connect(this);
    const dueMillis = ports.clock.monotonicMillis() + linkOpenMillisMax;
    this.#timer = {
      dueMillis,
      cancel: ports.timers.after(linkOpenMillisMax, () => this.#giveUpOpening()),
    };
  }

  get isAccepted(): boolean {
    return this.#session.isAccepted;
  }

  get inFlight(): number {
    return this.#session.inFlight;
  }

  /** Why the link ended, in the adapter's words. */
  get linkBecause(): string {
    return this.#linkBecause;
  }

  connect(order: ConnectOrder): void {
    this.#session.connect(order, this.#ports.clock.monotonicMillis());
    this.#arm();
  }

  /** Since when a PINGREQ is without its answer, monotonic. */
  get unansweredSinceMillis(): number | undefined {
    return this.#session.unansweredSinceMillis;
  }

  get offersReauthentication(): boolean {
    return this.#session.offersReauthentication;
  }

  mayReauthenticate(): boolean {
    return this.#session.mayReauthenticate(this.#ports.clock.monotonicMillis());
  }

  reauthenticate(token: string, answerMillisMax: number): void {
    this.#session.reauthenticate(token, answerMillisMax, this.#ports.clock.monotonicMillis());
    this.#arm();
  }

  hold(): void {
    this.#session.hold();
    this.#arm();
  }

  release(): void {
    this.#session.release(this.#ports.clock.monotonicMillis());
    this.#arm();
  }

  mayPublish(qos: 0 | 1): boolean {
    const may = this.#session.mayPublish(qos, this.#ports.clock.monotonicMillis());
    // There may be something to wait for now.
    if (!may) this.#arm();
    return may;
  }

  publish(message: OutgoingMessage, key: number): "written" | "too_large" {
    return this.#session.publish(message, key, this.#ports.clock.monotonicMillis());
  }

  askForConfig(): void {
    this.#session.askForConfig(this.#ports.clock.monotonicMillis());
    this.#arm();
  }

  settleDownlink(receipt: DownlinkReceipt, isTaken: boolean): void {
    this.#session.settleDownlink(receipt, isTaken, this.#ports.clock.monotonicMillis());
  }

  /** Takes leave of the bridge, closes the link and reports nothing any more. */
  leave(): void {
    this.#report = undefined;
    this.#cancelTimer();
    this.#linkIsOver = true;
    this.#session.disconnect(this.#ports.clock.monotonicMillis());
  }

  /** Of the session: to the link. */
  write(bytes: Uint8Array): void {
    this.#link.write(bytes);
  }

  bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  close(): void {
    this.#link.close();
  }

  /** Of the session: to whoever has this connection, until it took leave. */
  report(what: ConnectionReport): void {
    this.#report?.(this, what);
  }

  /** Of the link. */
  opened(): void {
    if (this.#linkIsOver || this.#opened) return;
    this.#opened = true;
    this.#cancelTimer();
    this.report({ kind: "opened" });
  }

  received(bytes: Uint8Array): void {
    if (this.#linkIsOver) return;
    this.#session.receive(bytes, this.#ports.clock.monotonicMillis());
    this.#arm();
  }

  closed(because: string): void {
    if (this.#linkIsOver) return;
    this.#linkIsOver = true;
    this.#linkBecause = because;
    this.#cancelTimer();
    if (this.#opened) this.#session.linkClosed();
    else this.report({ kind: "unreachable", because });
  }

  #giveUpOpening(): void {
    this.#timer = undefined;
    this.closed("no connection in time");
    this.#link.close();
  }

  // The session's due time mostly moves on; a timer that finds itself early just sets the next one.
  #arm(): void {
    const dueMillis = this.#session.dueMillis;
    if (dueMillis === undefined) {
      this.#cancelTimer();
      return;
    }
    if (this.#timer !== undefined && this.#timer.dueMillis <= dueMillis) return;
    this.#cancelTimer();
    const delay = Math.max(0, dueMillis - this.#ports.clock.monotonicMillis());
    this.#timer = {
      dueMillis,
      cancel: this.#ports.timers.after(delay, () => {
        this.#timer = undefined;
        this.#session.tick(this.#ports.clock.monotonicMillis());
        this.#arm();
      }),
    };
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
