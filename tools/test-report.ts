/**
 * The report of a test run: a line per file, each failure whole, each skip with its reason, and the counts.
 *
 * Counts tests, not suites and not files; a file that dies before or between its tests counts as one failure, so
 * that a crash can never look like a short green run.
 */
import { relative } from "node:path";
import { inspect } from "node:util";
import { ROOT } from "./program.ts";

/** What {@link TestReport} reads of node:test's events. */
export type TestEvent = { readonly type: string; readonly data: unknown };

type TestData = {
  readonly name: string;
  readonly file?: string;
  readonly nesting: number;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: unknown };
};

type FileCount = { passed: number; failed: number; skipped: number };

/** A skip with a reason that begins so is honest even in CI: no set-up could make it run there. */
const HONEST_SKIP = "cannot be tested here";

export class TestReport {
  readonly #say: (line: string) => void;
  readonly #files = new Map<string, FileCount>();
  readonly #failures: string[] = [];
  readonly #skips: { readonly name: string; readonly reason: string }[] = [];
  #passed = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Takes one event of `run()`. */
  take(event: TestEvent): void {
    if (event.type === "test:pass" || event.type === "test:fail") {
      this.#takeTest(event.data as TestData, event.type === "test:pass");
    } else if (event.type === "test:summary") {
      const { file, duration_ms } = event.data as { readonly file?: string; readonly duration_ms: number };
      if (file !== undefined) this.#sayFile(file, duration_ms);
    } else if (event.type === "test:stderr") {
      const { message } = event.data as { readonly message: string };
      this.#say(message.trimEnd());
    }
  }

  /** Counts a failure that happened outside any test, such as in the set-up. */
  fail(name: string, reason: string): void {
    this.#failures.push(`${name}\n${indent(reason)}`);
  }

  /**
   * Says failures and skips again, for whoever reads only the end, then the closing line.
   *
   * @returns whether the run is good.
   */
  end(rule: { readonly skipsFail: boolean }): boolean {
    for (const { name, reason } of this.#skips) this.#say(`skipped: ${name}: ${reason}`);
    for (const failure of this.#failures) this.#say(`failed: ${failure}`);
    const unexcused = this.#skips.filter(({ reason }) => !reason.startsWith(HONEST_SKIP)).length;
    const skipsFail = rule.skipsFail && unexcused > 0;
    if (skipsFail) this.#say(`with CI=true nothing may be skipped without need; ${unexcused} were`);
    const none = this.#passed === 0 && this.#failures.length === 0;
    if (none) this.#say("no test ran: that is a failure too");

    this.#say(`${this.#passed} passed, ${this.#failures.length} failed, ${this.#skips.length} skipped`);
    return this.#failures.length === 0 && !skipsFail && !none;
  }

  #takeTest(data: TestData, passed: boolean): void {
    const { type, error } = data.details;
    const file = data.file ?? "(unknown file)";
    const name = `${relative(ROOT, file)}: ${data.name}`;
    const count = this.#countOf(file);
    const skip = data.skip ?? data.todo;

    if (skip !== undefined && skip !== false) {
      count.skipped += 1;
      this.#skips.push({ name, reason: typeof skip === "string" && skip !== "" ? skip : "no reason given" });
    } else if (!passed) {
      // A suite or a parent fails with its children; only its own failure is news.
      if (isOfChildren(error)) return;
      count.failed += 1;
      this.#failures.push(`${name}\n${indent(describe(error))}`);
      this.#say(`FAILED ${name}`);
    } else if (type !== "suite" && !isFile(data)) {
      count.passed += 1;
      this.#passed += 1;
    }
  }

  #countOf(file: string): FileCount {
    const count = this.#files.get(file) ?? { passed: 0, failed: 0, skipped: 0 };
    this.#files.set(file, count);
    return count;
  }

  #sayFile(file: string, durationMillis: number): void {
    const { passed, failed, skipped } = this.#countOf(file);
    const words = [
      `${passed} passed`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ];
    const seconds = (durationMillis / 1000).toFixed(1);
    this.#say(`${failed > 0 ? "✖" : "✔"} ${relative(ROOT, file)}: ${words.join(", ")} (${seconds} s)`);
  }
}

/** The event of a whole file, sent by some versions of the runner when a file holds no test. */
function isFile(data: TestData): boolean {
  return data.nesting === 0 && data.name === data.file;
}

function isOfChildren(error: unknown): boolean {
  const type = (error as { readonly failureType?: string } | undefined)?.failureType;
  return type === "subtestsFailed";
}

/** An error's own text and those of its causes; what else it carries is in the message of assert already. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error, { depth: 4, colors: false });
  const { cause } = error;
  // The runner wraps what a test threw; the wrapper's own stack is ours and says nothing.
  if ("failureType" in error && cause !== undefined) return describe(cause);
  const text = error.stack ?? String(error);
  return cause === undefined ? text : `${text}\ncaused by ${describe(cause)}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "    ");
}
