/**
 * Subscriptions of one Network Connection: config and commands, asked for until the bridge granted or forbade them.
 *
 * A SUBACK may refuse for now, and a SUBSCRIBE may find no answer. A device that took either for the end would hear
 * nothing any more and not know it. So what is not granted is asked for again, a bounded number of times, in pauses that
 * double; the next connection begins anew.
 *
 * Left to others: when a Session is found to have its subscriptions already (`session.ts`).
 */
import { commandsFilter, configTopic } from "@mayfly/core";
import { type ClientPacket, reasonCode, type SubackPacket } from "@mayfly/core/mqtt";
import { subscribePacket } from "./packets-sent.ts";
import type { SessionOutput } from "./session-report.ts";
import type { SessionState } from "./session-state.ts";

/** From SUBSCRIBE to SUBACK, and from a refusal to the next try; twice as long each time. */
export const subscribeMillisFirst = 15_000;
/** SUBSCRIBEs for the same, of one connection. */
export const subscribeTimesMax = 5;

export class Subscriptions {
  readonly #device: string;
  readonly #state: SessionState;
  readonly #output: Pick<SessionOutput, "report">;
  /** What the SUBSCRIBE under way asks for. */
  #asked: readonly string[] = [];
  /** What the next one will ask for. */
  #wanted: string[] = [];
  #times = 0;
  #dueMillis: number | undefined;

  constructor(device: string, state: SessionState, output: Pick<SessionOutput, "report">) {
    this.#device = device;
    this.#state = state;
    this.#output = output;
  }

  /** When {@link tick} wants to be called. */
  get dueMillis(): number | undefined {
    return this.#dueMillis;
  }

  /** CONNACK came, and the Session has no subscriptions. @returns What to send. */
  begin(hasWildcards: boolean, nowMillis: number): ClientPacket {
    const commands = commandsFilter(this.#device);
    // Without wildcards there is still the command that has no subfolder.
    this.#wanted = [configTopic(this.#device), hasWildcards ? commands : commands.slice(0, -"/#".length)];
    return this.#ask(nowMillis);
  }

  /** The config is to come once more, as it does upon each SUBSCRIBE. @returns What to send, nothing while one is under way. */
  askForConfig(nowMillis: number): ClientPacket | undefined {
    if (this.#asked.length > 0 || this.#wanted.length > 0) return undefined;
    this.#wanted = [configTopic(this.#device)];
    this.#times = 0;
    return this.#ask(nowMillis);
  }

  /** @returns false: it answers nothing we asked. */
  take(suback: SubackPacket, nowMillis: number): boolean {
    const { packetIdentifier, reasonCodes } = suback;
    if (!this.#state.subscribed(packetIdentifier)) {
      // The answer to one that was given up may come late.
      return this.#times > 1;
    }
    if (reasonCodes.length !== this.#asked.length) return false;
    const asked = this.#asked;
    this.#asked = [];
    for (const [i, topicFilter] of asked.entries()) {
      const code = reasonCodes[i] ?? reasonCode.unspecifiedError;
      if (code < 0x80) continue;
      this.#output.report({ kind: "subscription_refused", topicFilter, reasonCode: code });
      if (mayChange(code)) this.#wanted.push(topicFilter);
    }
    this.#dueMillis = undefined;
    if (this.#wanted.length === 0) this.#state.settledSubscriptions();
    else this.#askLater(nowMillis);
    return true;
  }

  /** @returns What to send, if its time has come. */
  tick(nowMillis: number): ClientPacket | undefined {
    if (this.#dueMillis === undefined || nowMillis < this.#dueMillis) return undefined;
    this.#dueMillis = undefined;
    if (this.#asked.length > 0) {
      const unanswered = this.#asked;
      this.#asked = [];
      if (this.#times >= subscribeTimesMax) {
        for (const topicFilter of unanswered)
          this.#output.report({ kind: "subscription_refused", topicFilter });
        return undefined;
      }
      this.#wanted.push(...unanswered);
    }
    return this.#ask(nowMillis);
  }

  #askLater(nowMillis: number): void {
    if (this.#times >= subscribeTimesMax) this.#wanted = [];
    else this.#dueMillis = nowMillis + this.#patienceMillis();
  }

  #ask(nowMillis: number): ClientPacket {
    this.#asked = this.#wanted;
    this.#wanted = [];
    this.#times += 1;
    this.#dueMillis = nowMillis + this.#patienceMillis();
    return subscribePacket(this.#asked, this.#state.subscribing());
  }

  #patienceMillis(): number {
    return subscribeMillisFirst * 2 ** (this.#times - 1);
  }
}

/** Whether asking again may be answered otherwise. 3.1.1 has one code for every failure. */
function mayChange(code: number): boolean {
  switch (code) {
    case reasonCode.unspecifiedError:
    case reasonCode.implementationSpecificError:
    case reasonCode.packetIdentifierInUse:
    case reasonCode.quotaExceeded:
      return true;
    default:
      return false;
  }
}
