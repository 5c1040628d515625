/**
 * Network sources: asks SNTP and signed time, each at its pace, one of them at a time.
 *
 * A microcontroller has one UDP socket to spare, so a source waits for the other to be done. Signed time goes first: what
 * it says decides what the servers may say.
 *
 * Left to others: what an answer is worth (`believed-time.ts`), and that both are told by their clients in bounded time
 * (`sntp/sntp-client.ts`, `signed/signed-time-client.ts`).
 */
import { SourcePace } from "./source-pace.ts";
import type { TimeSample } from "./time-sample.ts";
import type { SourceKind } from "./trust-rules.ts";

/** Several servers, or one; `SntpClient` is such a source. */
export interface NtpSource {
  /** @param settle Told once, never synchronously, within 24 s. */
  ask(settle: (round: NtpRound) => void): void;
  stop(): void;
}

export type NtpRound =
  | { readonly kind: "agreed" | "single"; readonly sample: TimeSample }
  | { readonly kind: "none"; readonly because: string };

/** The bridge's signature under a time; `SignedTimeClient` is such a source. */
export interface SignedSource {
  /** @param settle Told once, never synchronously, within 20 s and what the verifier takes. */
  ask(settle: (answer: SignedAnswer) => void): void;
  stop(): void;
}

export type SignedAnswer =
  | { readonly kind: "verified"; readonly sample: TimeSample }
  | { readonly kind: "refused" | "none"; readonly because: string };

/** With servers to ask hourly, a signature is asked for once a day, lest they lead us astray little by little. */
export const signedRestMillis = 24 * 3_600_000;

export interface NetworkEvents {
  /** A source has answered. */
  told(source: SourceKind, sample: TimeSample): void;
  /** A source has not, or is done; both are followed by this. */
  idle(): void;
}

type Name = "ntp" | "signed";

export class NetworkSources {
  readonly #ntp: NtpSource | undefined;
  readonly #signed: SignedSource | undefined;
  readonly #now: () => number;
  readonly #events: NetworkEvents;
  readonly #paces = { ntp: new SourcePace(), signed: new SourcePace() };
  readonly #last: Record<Name, string> = { ntp: "not asked yet", signed: "not asked yet" };
  #asking: Name | undefined;

  constructor(
    sources: { readonly ntp?: NtpSource; readonly signed?: SignedSource },
    now: () => number,
    events: NetworkEvents,
  ) {
    this.#ntp = sources.ntp;
    this.#signed = sources.signed;
    this.#now = now;
    this.#events = events;
  }

  get hasSigned(): boolean {
    return this.#signed !== undefined;
  }

  get isIdle(): boolean {
    return this.#asking === undefined;
  }

  /** What became of the last question, by source. */
  get last(): { readonly ntp?: string; readonly signed?: string } {
    return {
      ...(this.#ntp === undefined ? undefined : { ntp: this.#last.ntp }),
      ...(this.#signed === undefined ? undefined : { signed: this.#last.signed }),
    };
  }

  /** Monotonic; infinite while one is asked. */
  get dueMillis(): number {
    if (this.#asking !== undefined) return Number.POSITIVE_INFINITY;
    return Math.min(this.#dueOf("ntp"), this.#dueOf("signed"));
  }

  /** Asks what is due. */
  attend(): void {
    const nowMillis = this.#now();
    if (this.dueMillis > nowMillis) return;
    if (this.#dueOf("signed") <= nowMillis) this.#askSigned();
    else this.#askNtp();
  }

  /** Their word is wanted before it is due. */
  hurry(which: Name | "all"): void {
    if (which !== "ntp") this.#paces.signed.hurry(this.#now());
    if (which !== "signed") this.#paces.ntp.hurry(this.#now());
  }

  /** Each is asked once more, whenever it was asked last; servers keep their own limits. */
  askAgain(): void {
    if (this.#asking !== "ntp") this.#paces.ntp.dueMillis = this.#now();
    if (this.#asking !== "signed") this.#paces.signed.dueMillis = this.#now();
  }

  stop(): void {
    this.#asking = undefined;
    this.#ntp?.stop();
    this.#signed?.stop();
  }

  #dueOf(name: Name): number {
    const isThere = (name === "ntp" ? this.#ntp : this.#signed) !== undefined;
    return isThere ? this.#paces[name].dueMillis : Number.POSITIVE_INFINITY;
  }

  #askNtp(): void {
    this.#begin("ntp");
    this.#ntp?.ask((round) => {
      if (round.kind === "none") this.#silent("ntp", round.because);
      else this.#answered("ntp", round.kind === "agreed" ? "ntp-agreed" : "ntp-single", round.sample, 0);
    });
  }

  #askSigned(): void {
    this.#begin("signed");
    const restMillis = this.#ntp === undefined ? 0 : signedRestMillis;
    this.#signed?.ask((answer) => {
      if (answer.kind !== "verified") this.#silent("signed", answer.because);
      else this.#answered("signed", "signed", answer.sample, restMillis);
    });
  }

  #begin(name: Name): void {
    this.#asking = name;
    this.#paces[name].asked(this.#now());
  }

  #answered(name: Name, source: SourceKind, sample: TimeSample, restMillis: number): void {
    this.#asking = undefined;
    this.#last[name] = source === "ntp-single" ? "too few servers answered to agree" : "answered";
    this.#paces[name].answered(this.#now(), restMillis);
    this.#events.told(source, sample);
    this.#events.idle();
  }

  #silent(name: Name, because: string): void {
    this.#asking = undefined;
    this.#last[name] = because;
    this.#paces[name].failed(this.#now());
    this.#events.idle();
  }
}
