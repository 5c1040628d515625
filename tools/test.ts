/**
 * `npm test`: sets up outside programs, holds the house to its checks, runs every test, and ends with one line that
 * counts them: `N passed, N failed, N skipped`.
 *
 * The checks (format, types, borders) are tests like the others, in `house.test.ts`, and run first and alone: a
 * compiler beside a test of deadlines would make the test lie. With `CI=true` a skip is a failure unless its reason
 * begins with "cannot be tested here".
 *
 * Arguments: `--unit` leaves out the tests that start processes (test/ at the root); `--only PATTERN` runs tests
 * whose name matches; paths or globs run just those files.
 */
import { globSync } from "node:fs";
import { relative, resolve } from "node:path";
import { run } from "node:test";
import { parseArgs } from "node:util";
import { ROOT } from "./program.ts";
import { isCi, setUpServices } from "./services.ts";
import { TestReport } from "./test-report.ts";

const FILES_AT_ONCE = 2;
/** Beside them, one after the other: tests that wait for outages to end and clocks to step, and hardly compute. */
const PATIENT_FILES: readonly string[] = [
  "packages/cli/test/demo.test.ts",
  "packages/device/test/process/mosquitto-restart.test.ts",
  "test/iot-core/hostile-http.test.ts",
  "test/iot-core/hostile-sockets.test.ts",
  "test/process/agent-faults.test.ts",
  "test/process/agent-time-faults.test.ts",
  "test/process/deadlines.test.ts",
  "test/process/device-signed-time.test.ts",
  "test/process/presence.test.ts",
  "test/process/stepped-clock.test.ts",
];
/** No test of ours takes longer; one that does hangs. */
const TEST_MILLIS_MAX = 240_000;
/** When nothing is heard for so long, a file hangs outside its tests: it left a socket or a thread open. */
const SILENCE_MILLIS_MAX = TEST_MILLIS_MAX + 30_000;

const HOUSE_FILES = ["tools/house.test.ts"];
const UNIT_FILES = ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts", "tools/**/*.test.ts"];
const PROCESS_FILES = ["test/**/*.test.ts"];

const { values, positionals } = parseArgs({
  options: { unit: { type: "boolean", default: false }, only: { type: "string" } },
  allowPositionals: true,
});

const find = (patterns: readonly string[]) =>
  patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).sort());
const report = new TestReport((line) => console.log(line));

async function runFiles(paths: readonly string[], filesAtOnce = FILES_AT_ONCE): Promise<void> {
  if (paths.length === 0) return;
  const silence = new AbortController();
  const unfinished = new Set(paths.map((path) => resolve(ROOT, path)));
  const events = run({
    files: [...unfinished],
    cwd: ROOT,
    concurrency: filesAtOnce,
    timeout: TEST_MILLIS_MAX,
    signal: silence.signal,
    ...(values.only === undefined ? {} : { testNamePatterns: [values.only] }),
  });
  const watch = setTimeout(() => silence.abort(), SILENCE_MILLIS_MAX);
  for await (const event of events) {
    watch.refresh();
    report.take(event);
    if (event.type === "test:summary" && event.data.file !== undefined) unfinished.delete(event.data.file);
  }
  clearTimeout(watch);
  if (!silence.signal.aborted) return;
  const names = [...unfinished].map((path) => relative(ROOT, path)).join(", ");
  report.fail(
    "silence",
    `nothing was heard for ${SILENCE_MILLIS_MAX / 1000} s, so the run was ended without ${names}`,
  );
}

try {
  setUpServices((line) => console.log(line));
} catch (error) {
  report.fail("set-up of outside programs", error instanceof Error ? error.message : String(error));
}

if (positionals.length > 0) {
  const wanted = find(positionals);
  if (wanted.length === 0) report.fail("arguments", `no test file matches ${positionals.join(" ")}`);
  await runFiles(wanted);
} else {
  const house = find(HOUSE_FILES);
  const rest = find(values.unit ? UNIT_FILES : [...UNIT_FILES, ...PROCESS_FILES]).filter(
    (path) => !house.includes(path),
  );
  await runFiles(house);
  const isPatient = (path: string): boolean => PATIENT_FILES.includes(path);
  await Promise.all([runFiles(rest.filter((path) => !isPatient(path))), runFiles(rest.filter(isPatient), 1)]);
}

process.exitCode = report.end({ skipsFail: isCi() }) ? 0 : 1;
