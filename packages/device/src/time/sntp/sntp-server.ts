/**
 * One SNTP server, as this client knows it: how often it may be asked, what it last said, which of its answers to
 * believe. Asking is `sntp-client.ts`.
 */
import type { DatagramPeer } from "../datagram-exchange.ts";
import type { TimeSample } from "../time-sample.ts";
import { ClockFilter } from "./clock-filter.ts";
import type { NtpForeignness, NtpRefusal, NtpVerdict } from "./ntp-packet.ts";
import { PollLimit } from "./poll-limit.ts";

/** What came of asking it last. Closed set, fit for a status. */
export type SntpServerNews =
  | "not_asked"
  | "answered"
  /** Its name is not known, or no socket could be had. */
  | "unreachable"
  | "silence"
  /** Something came within the wait, and answered another question or was no packet at all. */
  | NtpForeignness
  | NtpRefusal
  /** It asked us to come less often (RATE), or not at all (DENY, RSTR). */
  | "told_slower"
  | "told_stop";

export class SntpServer {
  readonly peer: DatagramPeer;
  readonly limit = new PollLimit();
  readonly #filter = new ClockFilter();
  #news: SntpServerNews = "not_asked";
  /** Whether this round has what it wants of this server, or all it will get. */
  #isDone = false;
  #hasAnswered = false;

  constructor(peer: DatagramPeer) {
    this.peer = peer;
  }

  get news(): SntpServerNews {
    return this.#news;
  }

  get isDone(): boolean {
    return this.#isDone || this.limit.isStopped;
  }

  beginRound(): void {
    this.#isDone = false;
    this.#hasAnswered = false;
  }

  /** @returns whether the verdict ends this exchange; an answer to something else does not. */
  judged(verdict: NtpVerdict): boolean {
    switch (verdict.kind) {
      case "foreign":
        this.#news = verdict.because;
        return false;
      case "refused":
        this.#news = verdict.because;
        return true;
      case "kiss":
        this.#news = verdict.kiss === "stop" ? "told_stop" : "told_slower";
        this.limit.kissed(verdict.kiss);
        return true;
      case "told":
        this.#news = "answered";
        this.#filter.add(verdict.sample);
        this.#isDone = true;
        this.#hasAnswered = true;
        return true;
    }
  }

  /** An exchange begins whose news are yet to come. */
  asked(): void {
    this.#news = "silence";
  }

  unreachable(): void {
    this.#news = "unreachable";
    this.#isDone = true;
  }

  /** @returns Its best sample, if it has answered in this round: a memory alone has no vote. */
  vote(atMillis: number): TimeSample | undefined {
    return this.#hasAnswered ? this.#filter.best(atMillis) : undefined;
  }
}
