// @ts-check
/**
 * Bootstrap: from a fresh clone and whatever Node runs npm to the pinned Node running our TypeScript.
 *
 * The machine's own Node may be too old to read a `.ts` file, so this one file is plain JavaScript that
 * Node 20 runs (docs/adr/0001). It installs when `node_modules` does not hold what package-lock.json asks
 * for, then hands over to the `node` of the dev dependency, passing on arguments, signals and exit code.
 *
 * Left to others: everything else.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MAJOR_MIN = 24;
/** How soon a program notices that npm, or the shell between, has gone. */
const PARENT_WATCH_MILLIS = 500;

/** What each npm script runs: a program of ours and the arguments that come before the user's. */
const tasks = /** @type {const} */ ({
  start: ["packages/cli/src/main.ts", "demo"],
  mayfly: ["packages/cli/src/main.ts"],
  test: ["tools/test.ts"],
  check: ["tools/check.ts"],
  typecheck: ["tools/typecheck.ts"],
  border: ["tools/border/main.ts"],
  bench: ["bench/run.ts"],
  "bench:codec": ["packages/core/bench/codec.bench.ts"],
  "bench:token": ["packages/core/bench/token.bench.ts"],
  "bench:backbone": ["packages/server/bench/backbone.bench.ts"],
  "bench:renewal": ["bench/renewal.ts"],
  "bench:agent-soak": ["bench/agent-soak.ts"],
  "bench:renewals-500x50": ["bench/renewals-500x50.ts"],
  build: ["tools/release/main.ts"],
  firmware: ["tools/firmware/main.ts"],
  sabotage: ["tools/sabotage/main.ts"],
  fuzz: ["test/fuzz/main.ts"],
});

/**
 * Whether every package that package-lock.json asks for is installed in the version it asks for, by the
 * record npm itself leaves in node_modules after a complete install. Packages for other platforms are optional
 * there and may be missing.
 *
 * @param {string} root
 */
export function isInstalled(root) {
  const wanted = readLock(join(root, "package-lock.json"));
  const installed = readLock(join(root, "node_modules", ".package-lock.json"));
  return (
    wanted !== undefined &&
    installed !== undefined &&
    Object.entries(wanted)
      .filter(([path, entry]) => path.startsWith("node_modules/") && entry.optional !== true)
      .every(([path, entry]) => path in installed && installed[path]?.version === entry.version)
  );
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string; optional?: boolean }> | undefined}
 */
function readLock(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).packages : undefined;
}

/** @param {string} sentence @returns {never} */
function fail(sentence) {
  console.error(`mayfly: ${sentence}`);
  process.exit(1);
}

/** @param {string} root */
function install(root) {
  console.error("mayfly: installing the packages of package-lock.json (npm ci), once");
  // Under npm we use the very npm that runs us: its path is a script for the Node that runs it.
  const npm = process.env["npm_execpath"];
  const [command, before] = npm === undefined ? ["npm", []] : [process.execPath, [npm]];
  // npm's own chatter goes to stderr: `npm start -- --json` promises that stdout holds nothing but JSON.
  // Its warnings would be about this Node's age, which stops mattering the moment it is done.
  const args = [...before, "ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (done.status !== 0)
    fail("npm ci failed; its message is above. The network is needed for this one step.");
}

/**
 * The Node that runs our TypeScript: the pinned one, or this one if it is new enough.
 *
 * @param {string} root
 */
function findNode(root) {
  const pinned = join(
    root,
    "node_modules",
    "node",
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  if (existsSync(pinned)) return pinned;
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) return process.execPath;
  return fail(
    `the pinned Node is not in node_modules/node/bin and this Node is ${process.versions.node} (${NODE_MAJOR_MIN} or newer is needed). ` +
      "npm was probably told to run no install scripts: allow the one of the package `node` " +
      "(`npm rebuild node --ignore-scripts=false`), or run with a newer Node.",
  );
}

/**
 * @param {string} node
 * @param {readonly string[]} args
 */
function handOver(node, args) {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let child;
  const pass = (/** @type {NodeJS.Signals} */ signal) => child?.kill(signal);
  // Listening comes first: the child may be ready, and its user done with it, before spawn() has returned.
  // A terminal gives Ctrl-C to the whole group, so the child has it already; anyone else sends it to us alone.
  process.on("SIGINT", () => process.stdin.isTTY || pass("SIGINT"));
  process.on("SIGTERM", () => pass("SIGTERM"));
  process.on("SIGHUP", () => pass("SIGHUP"));
  // npm passes a signal to the shell between us, which dies of it without a word to us.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    pass("SIGTERM");
  }, PARENT_WATCH_MILLIS);

  const path = [dirname(node), join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter);
  child = spawn(node, args, { stdio: "inherit", env: { ...process.env, PATH: path } });
  child.on("error", (error) => fail(`cannot run ${node}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) {
  const [name = "", ...rest] = process.argv.slice(2);
  const task = Object.entries(tasks).find(([key]) => key === name)?.[1];
  if (task === undefined) fail(`there is no task "${name}"; the tasks are ${Object.keys(tasks).join(", ")}.`);

  if (!isInstalled(ROOT)) install(ROOT);
  const [program, ...before] = task;
  handOver(findNode(ROOT), [join(ROOT, program), ...before, ...rest]);
}
