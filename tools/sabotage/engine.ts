/**
 * Sabotage: break one promise in a copy of the tree, run the test that should notice, and see it fail.
 *
 * The named test must first pass in the untouched copy, and then fail by its own name: a file that no longer loads
 * proves nothing about the promise.
 *
 * Left to others: which promises there are (`table.ts`), which rows to run (`main.ts`).
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../program.ts";
import type { Sabotage } from "./table.ts";

export type SabotageOutcome =
  | { readonly kind: "noticed" }
  /** The test passed although the promise was broken. */
  | { readonly kind: "survived" }
  /** The row itself is wrong: its text is gone, or its test does not pass (or is not there) to begin with. */
  | { readonly kind: "row_broken"; readonly because: string };

/** What is copied; the rest of a tree is not needed to run its tests. */
const COPIED = ["packages", "tools", "test", "bench", "docs", "package.json", "tsconfig.base.json"];
/** A sabotaged program may hang: that is a failure too. */
const TEST_MILLIS_MAX = 240_000;
const LEFT_OUT = /(^|\/)(node_modules|dist|\.build|mayfly-data)$/;

/** A copy of a tree in which a promise may be broken. */
export class SabotagedTree {
  readonly folder: string;
  /** TAP of the untouched copy, by what was run. */
  readonly #baselines = new Map<string, string>();
  readonly #rows: readonly Sabotage[];

  /**
   * @param root the tree to copy; its node_modules is linked, but for our own packages: those are the copy's.
   * @param rows what will be tried: tests of one file are then run untouched in one go.
   */
  constructor(root: string, rows: readonly Sabotage[] = []) {
    this.#rows = rows;
    this.folder = mkdtempSync(join(tmpdir(), "mayfly-sabotage-"));
    for (const name of COPIED.filter((name) => existsSync(join(root, name)))) {
      cpSync(join(root, name), join(this.folder, name), {
        recursive: true,
        filter: (path) => !LEFT_OUT.test(path.slice(root.length)),
      });
    }
    this.#linkModules(join(root, "node_modules"));
  }

  /** Breaks the promise, runs its test, and mends the promise again. */
  async try(sabotage: Sabotage): Promise<SabotageOutcome> {
    const file = join(this.folder, sabotage.file);
    const source = existsSync(file) ? readFileSync(file, "utf8") : "";
    const found = source.split(sabotage.find).length - 1;
    if (found !== 1) {
      return rowBroken(`the text to replace stands ${found} times in ${sabotage.file}, not once`);
    }

    const before = await this.#baseline(sabotage);
    if (before.failed > 0) return rowBroken(`"${sabotage.name}…" fails without sabotage`);
    if (before.passed === 0) return rowBroken(`no test "${sabotage.name}…" passes in ${sabotage.test}`);

    // A function as replacement: "$&" and its like in the text stay what they are.
    writeFileSync(
      file,
      source.replace(sabotage.find, () => sabotage.replace),
    );
    const after = countTests(await this.#run(sabotage.test, [sabotage.name]), sabotage.name);
    writeFileSync(file, source);
    if (after.failed > 0) return { kind: "noticed" };
    return after.passed > 0 ? { kind: "survived" } : rowBroken("the sabotaged source does not even load");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #baseline(sabotage: Sabotage): Promise<TestEnd> {
    const { test, name } = sabotage;
    const names = new Set(this.#rows.filter((row) => row.test === test).map((row) => row.name));
    const together = names.has(name) ? [...names] : [name];
    const key = [test, ...together].join("\n");
    const tap = this.#baselines.get(key) ?? (await this.#run(test, together));
    this.#baselines.set(key, tap);
    return countTests(tap, name);
  }

  /** @returns TAP of the tests whose names begin so. */
  async #run(test: string, names: readonly string[]): Promise<string> {
    const patterns = names.map(
      (name) => `/^${name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replaceAll("/", "\\/")}/`,
    );
    const end = await runProgram(
      process.execPath,
      [
        "--test",
        "--test-reporter=tap",
        `--test-timeout=${TEST_MILLIS_MAX}`,
        // What a failed test leaves open (a store, a socket) must not hold the file.
        "--test-force-exit",
        // In a process of its own a file that is forced to exit may lose what it had to report.
        "--test-isolation=none",
        ...patterns.map((pattern) => `--test-name-pattern=${pattern}`),
        test,
      ],
      // Inside a test run, node:test would take itself for a child and say nothing readable.
      { cwd: this.folder, env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...this.#cacheFor(test) } },
    );
    return end.stdout;
  }

  /**
   * The same sources are loaded some hundred times: compiled once, a try takes a third of the time. What a fuzzer's
   * coverage counts would be less precise in cached code.
   */
  #cacheFor(test: string): Readonly<Record<string, string>> {
    return test.startsWith("test/fuzz/") ? {} : { NODE_COMPILE_CACHE: join(this.folder, ".compile-cache") };
  }

  #linkModules(modules: string): void {
    if (!existsSync(modules)) return;
    const own = join(this.folder, "node_modules");
    mkdirSync(join(own, "@mayfly"), { recursive: true });
    for (const name of readdirSync(modules)) {
      if (name !== "@mayfly") symlinkSync(join(modules, name), join(own, name));
    }
    for (const name of readdirSync(join(this.folder, "packages"))) {
      symlinkSync(join("..", "..", "packages", name), join(own, "@mayfly", name));
    }
  }
}

type TestEnd = { readonly passed: number; readonly failed: number };

/** Counts the tests of that name in TAP, leaving out those skipped. */
export function countTests(tap: string, name: string): TestEnd {
  let passed = 0;
  let failed = 0;
  for (const [, not, title = ""] of tap.matchAll(/^ *(not )?ok \d+ - (.*)$/gm)) {
    // TAP writes a backslash before a hash that is part of the title.
    if (/ # (SKIP|TODO)/i.test(title) || !title.replaceAll("\\#", "#").startsWith(name)) continue;
    if (not === undefined) passed += 1;
    else failed += 1;
  }
  return { passed, failed };
}

function rowBroken(because: string): SabotageOutcome {
  return { kind: "row_broken", because };
}
