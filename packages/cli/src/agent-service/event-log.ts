/**
 * The agent's events as log lines: facts for an operator, never a token, a key, a signature or a payload.
 *
 * What happens per message is counted, not written. A bridge or a network that fails in a loop is held back: beyond
 * {@link linesPerMinute} lines of a kind a minute they are counted, and told in one line when the minute is over.
 */
import type { AgentEvent, TimeEvent } from "@mayfly/device";

export type LogLevelName = "debug" | "info" | "warn" | "error";

/** Port: one structured line. */
export type WriteLine = (
  level: LogLevelName,
  facts: Readonly<Record<string, string | number | boolean>>,
) => void;

/** Lines of one kind of event within a minute. */
export const linesPerMinute = 20;
const minuteMillis = 60_000;

const levels = {
  state: "info",
  waiting_for_clock: "warn",
  clock_asked: "info",
  minted: "debug",
  sign_failed: "error",
  connected: "info",
  renewed: "info",
  reauthentication_unanswered: "warn",
  refused: "warn",
  connection_lost: "warn",
  subscription_refused: "error",
  acknowledged: undefined,
  message_dropped: "warn",
  message_postponed: "warn",
  message_refused: "error",
  outbox_opened: "info",
  handler_failed: "warn",
  config_applied: "info",
  config_went_back: "warn",
  config_not_kept: "error",
  command_dropped: "warn",
  key_changed: "warn",
  instruction: "info",
} as const satisfies Record<AgentEvent["kind"], LogLevelName | undefined>;

const timeLevels = {
  trust: "info",
  stepped: "warn",
  floor_lowered: "warn",
  signature_wanted: "warn",
  rtc: "info",
  drift_alert: "warn",
  store_damaged: "warn",
  store_failed: "error",
} as const satisfies Record<TimeEvent["kind"], LogLevelName>;

export class EventLog {
  readonly #write: WriteLine;
  readonly #now: () => number;
  readonly #written = new Map<string, number>();
  #minuteStart: number;

  /** @param now Monotonic, milliseconds. */
  constructor(write: WriteLine, now: () => number) {
    this.#write = write;
    this.#now = now;
    this.#minuteStart = now();
  }

  take(event: AgentEvent): void {
    const level = levels[event.kind];
    if (level === undefined || !this.#mayWrite(event.kind)) return;
    const { kind, ...facts } = event;
    this.#write(level, { event: kind, ...plain(facts) });
  }

  /** Of the clock that the agent keeps by itself. */
  takeTime(event: TimeEvent): void {
    const { kind, ...facts } = event;
    const name = `clock_${kind}`;
    if (this.#mayWrite(name)) this.#write(timeLevels[kind], { event: name, ...plain(facts) });
  }

  #mayWrite(kind: string): boolean {
    if (this.#now() - this.#minuteStart >= minuteMillis) this.#tellHeldBack();
    const written = this.#written.get(kind) ?? 0;
    this.#written.set(kind, written + 1);
    return written < linesPerMinute;
  }

  #tellHeldBack(): void {
    for (const [kind, count] of this.#written) {
      if (count <= linesPerMinute) continue;
      this.#write("warn", { event: "lines_held_back", of: kind, count: count - linesPerMinute });
    }
    this.#written.clear();
    this.#minuteStart = this.#now();
  }
}

/** The scalar facts of an event; all of them are made by us or are numbers of a peer's. */
function plain(facts: object): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(
    Object.entries(facts).filter(
      (entry): entry is [string, string | number | boolean] =>
        typeof entry[1] === "string" || typeof entry[1] === "number" || typeof entry[1] === "boolean",
    ),
  );
}
