/**
 * The bootstrap on a clone that has nothing: run by whatever Node is given, with an npm that only pretends.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ROOT, runProgram } from "../tools/program.ts";

const LOCK = JSON.stringify({ packages: { "": {}, "node_modules/a": { version: "1.0.0" } } });
/** Says which program it was given, in place of Node: `#!` lines take it as it is. */
const SAYING_NODE = `#!/bin/sh\necho "ran $*"\n`;

/** A fresh clone: the bootstrap, a lock file, and an npm whose \`ci\` leaves what \`installs\` writes. */
function freshClone(t: TestContext, pinnedNode = SAYING_NODE) {
  const clone = mkdtempSync(join(tmpdir(), "mayfly-clone-"));
  t.after(() => rmSync(clone, { recursive: true, force: true }));
  mkdirSync(join(clone, "tools"));
  cpSync(join(ROOT, "tools/bootstrap.mjs"), join(clone, "tools/bootstrap.mjs"));
  writeFileSync(join(clone, "package-lock.json"), LOCK);
  const bin = join(clone, "node_modules/node/bin");
  writeFileSync(
    join(clone, "npm.mjs"),
    `import { mkdirSync, writeFileSync } from "node:fs";
     console.log("npm " + process.argv.slice(2).join(" "));
     mkdirSync(${JSON.stringify(bin)}, { recursive: true });
     writeFileSync(${JSON.stringify(join(clone, "node_modules/.package-lock.json"))}, ${JSON.stringify(LOCK)});
     ${pinnedNode === "" ? "" : `writeFileSync(${JSON.stringify(join(bin, "node"))}, ${JSON.stringify(pinnedNode)}, { mode: 0o755 });`}`,
  );
  const env = { ...process.env, npm_execpath: join(clone, "npm.mjs") };
  const boot = (...args: readonly string[]) =>
    runProgram(process.execPath, [join(clone, "tools/bootstrap.mjs"), ...args], { env });
  return { clone, env, boot, program: (name: string) => join(clone, name) };
}

test("a fresh clone is installed first, then the task runs under the pinned Node with the user's arguments", async (t) => {
  const { boot, program } = freshClone(t);

  const end = await boot("start", "--json");

  assert.equal(end.stdout, `ran ${program("packages/cli/src/main.ts")} demo --json\n`);
  assert.match(end.stderr, /npm ci/);
});

test("what npm says goes to stderr, so that stdout is the program's own", async (t) => {
  const { boot } = freshClone(t);

  const end = await boot("test");

  assert.doesNotMatch(end.stdout, /npm/);
});

test("an installed clone is not installed again", async (t) => {
  const { boot } = freshClone(t);
  await boot("test");

  const end = await boot("test");

  assert.doesNotMatch(end.stderr, /npm ci/);
});

test("a lock file that asks for another version is installed again", async (t) => {
  const { boot, clone } = freshClone(t);
  await boot("test");
  writeFileSync(join(clone, "package-lock.json"), LOCK.replace("1.0.0", "1.0.1"));

  const end = await boot("test");

  assert.match(end.stderr, /npm ci/);
});

test("the exit code of the program is ours", async (t) => {
  const { boot } = freshClone(t, "#!/bin/sh\nexit 7\n");

  const end = await boot("check");

  assert.equal(end.code, 7);
});

test("SIGTERM reaches the program, and its answer is ours", async (t) => {
  const { clone, env } = freshClone(
    t,
    `#!/bin/sh\ntrap 'exit 9' TERM\necho ready\nwhile :; do sleep 0.05; done\n`,
  );

  const child = spawn(process.execPath, [join(clone, "tools/bootstrap.mjs"), "start"], {
    env,
    stdio: "pipe",
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdout.once("data", () => child.kill("SIGTERM"));

  assert.equal(await ended, 9);
});

test("a program does not outlive the shell that npm ran it in", async (t) => {
  const { clone, env } = freshClone(
    t,
    `#!/bin/sh\ntrap 'echo ended; exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done\n`,
  );
  const bootstrap = join(clone, "tools/bootstrap.mjs");

  // As npm does it: a shell that waits, and dies of the signal alone.
  const shell = spawn("/bin/sh", ["-c", `"${process.execPath}" "${bootstrap}" start; exit 1`], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const ended = new Promise<void>((resolve) => shell.stdout.on("close", () => resolve()));
  shell.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString("utf8");
    if (said === "ready\n") shell.kill("SIGTERM");
  });
  await ended;

  assert.equal(said, "ready\nended\n");
});

test("an unknown task is refused with the list of tasks", async (t) => {
  const { boot } = freshClone(t);

  const end = await boot("strat");

  assert.equal(end.code, 1);
  assert.match(end.stderr, /no task "strat"; the tasks are start, mayfly, test/);
});

test("without the pinned Node a Node that is new enough takes its place", async (t) => {
  const { boot, clone } = freshClone(t, "");
  writeFileSync(join(clone, "tools/check.ts"), `console.log("checked by " + process.execPath);`);

  const end = await boot("check");

  assert.equal(end.stdout, `checked by ${process.execPath}\n`);
});

test("without the pinned Node and with an old one, a sentence says how to get it", async (t) => {
  const { boot, clone } = freshClone(t, "");
  // Whatever Node runs this test is new enough, so the bootstrap is told that it is not.
  const file = join(clone, "tools/bootstrap.mjs");
  const old = `Object.defineProperty(process.versions, "node", { value: "20.20.2" });`;
  writeFileSync(file, readFileSync(file, "utf8").replace("const ROOT", `${old}\nconst ROOT`));

  const end = await boot("check");

  assert.equal(end.code, 1);
  assert.match(end.stderr, /this Node is 20\.20\.2 \(24 or newer is needed\).*npm rebuild node/s);
});
