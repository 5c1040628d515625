/**
 * `mayfly time-key` as an operator uses it, its files read by openssl; and what the doctor says of signed time.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { requireService } from "../../../tools/services.ts";
import { mayfly, startMayfly, temporaryFolder } from "./mayfly.ts";

interface Pin {
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly delegates?: boolean;
}

const currentRoot = "roots/time-root-current.key.pem";
const nextRoot = "roots/time-root-next.key.pem";

async function openFolder(t: TestContext) {
  const cwd = await temporaryFolder(t);
  const run = (...args: readonly string[]) => mayfly(t, args, { cwd });
  const json = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(...args, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  return { cwd, run, json };
}

test("init makes two roots for their owner alone, and pins that openssl reads the same", async (t) => {
  requireService(t, "openssl");
  const { cwd, json } = await openFolder(t);

  const { pins } = (await json("time-key", "init", "--out", "roots")) as { pins: readonly Pin[] };

  for (const [at, file] of [currentRoot, nextRoot].entries()) {
    const spki = execFileSync("openssl", ["pkey", "-in", file, "-pubout", "-outform", "DER"], { cwd });
    const digest = execFileSync("openssl", ["dgst", "-sha256", "-r"], { input: spki })
      .toString()
      .slice(0, 64);
    assert.equal(statSync(join(cwd, file)).mode & 0o777, 0o600);
    assert.equal(pins[at]?.publicKey, spki.subarray(-64).toString("hex"));
    assert.equal(pins[at]?.fingerprint, digest);
  }
  assert.notEqual(pins[0]?.publicKey, pins[1]?.publicKey);
  assert.equal(statSync(join(cwd, "roots")).mode & 0o777, 0o700);
});

test("init never overwrites a root", async (t) => {
  const { cwd, run } = await openFolder(t);
  await run("time-key", "init", "--out", "roots");
  const before = readFileSync(join(cwd, nextRoot), "utf8");

  const again = await run("time-key", "init", "--out", "roots");

  assert.equal(again.code, 1);
  assert.match(again.stderr, /^mayfly: .*is there already; roots are never overwritten\n$/);
  assert.equal(readFileSync(join(cwd, nextRoot), "utf8"), before);
});

test("init prints no private key, and neither do delegate and show", async (t) => {
  const { cwd, run } = await openFolder(t);

  const outputs = [
    await run("time-key", "init", "--out", "roots"),
    await run("time-key", "delegate", "--root", currentRoot, "--data", "data"),
    await run("time-key", "show", "--data", "data"),
  ];

  const secrets = [currentRoot, nextRoot, "data/time-key.pem"].map(
    (file) => readFileSync(join(cwd, file), "utf8").split("\n")[1] ?? "",
  );
  for (const { code, stdout, stderr } of outputs) {
    assert.equal(code, 0, stderr);
    assert.ok(secrets.every((secret) => secret.length > 40 && !`${stdout}${stderr}`.includes(secret)));
  }
});

test("delegate makes a key file for its owner alone, whose root and end show tells", async (t) => {
  const { cwd, json } = await openFolder(t);
  const { pins } = await json("time-key", "init", "--out", "roots");

  const made = await json("time-key", "delegate", "--root", nextRoot, "--days", "7", "--data", "data");
  const shown = await json("time-key", "show", "--data", "data", "--pins", "roots/time-pins.pem");

  assert.equal(statSync(join(cwd, "data/time-key.pem")).mode & 0o777, 0o600);
  assert.equal(shown.delegation.notAfter, made.notAfter);
  assert.equal(Date.parse(made.notAfter) - Date.parse(made.notBefore), 7 * 86_400_000);
  assert.deepEqual(
    shown.pins.map(({ publicKey, delegates }: Pin) => [publicKey, delegates]),
    [
      [pins[0].publicKey, false],
      [pins[1].publicKey, true],
    ],
  );
});

test("show says when the online key is delegated by none of the pinned roots", async (t) => {
  const { run } = await openFolder(t);
  await run("time-key", "init", "--out", "roots");
  await run("time-key", "init", "--out", "others");
  await run("time-key", "delegate", "--root", currentRoot, "--data", "data");

  const { code, stderr } = await run("time-key", "show", "--data", "data", "--pins", "others/time-pins.pem");

  assert.equal(code, 0);
  assert.match(stderr, /delegated by none of these roots/);
});

test("what cannot be used is refused in one sentence, with a code for programs", async (t) => {
  const { cwd, run } = await openFolder(t);
  await run("time-key", "init", "--out", "roots");
  writeFileSync(join(cwd, "nonsense.pem"), "nonsense\n");
  const refused: readonly (readonly [string, readonly string[]])[] = [
    ["usage", ["delegate", "--root", currentRoot, "--days", "31"]],
    ["usage", ["delegate"]],
    ["key_unusable", ["delegate", "--root", "nonsense.pem", "--data", "data"]],
    ["key_unusable", ["delegate", "--root", "roots/time-pins.pem", "--data", "data"]],
    ["file_unreadable", ["delegate", "--root", "missing.pem", "--data", "data"]],
    ["not_configured", ["show", "--data", "data"]],
    ["key_unusable", ["show", "--data", "data", "--pins", "nonsense.pem"]],
  ];

  for (const [code, args] of refused) {
    const { stderr } = await run("time-key", ...args, "--json");
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
    assert.equal(error.code, code, error.message);
  }
});

test("the doctor believes the server's signed time as a device would, and warns in a delegation's last week", async (t) => {
  const { cwd, run } = await openFolder(t);
  await run("time-key", "init", "--out", "roots");
  await run("time-key", "delegate", "--root", currentRoot, "--days", "5");
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  await server.line(() => true);

  const { stdout } = await run("doctor", "--json");

  const { checks } = JSON.parse(stdout) as { checks: readonly { name: string; status: string }[] };
  const statusOf = (name: string) => checks.find((check) => check.name === name)?.status;
  assert.deepEqual([statusOf("time delegation"), statusOf("signed time")], ["warn", "ok"]);
});

test("serve listens for signed time where --time-port says, and says so when another program does already", async (t) => {
  const { cwd, run } = await openFolder(t);
  const other = createSocket("udp6");
  t.after(() => other.close());
  other.bind(0);
  await once(other, "listening");
  const { port } = other.address();
  // Free until a moment ago: the port of a socket that was closed for this.
  const leaving = createSocket("udp6");
  leaving.bind(0);
  await once(leaving, "listening");
  const { port: free } = leaving.address();
  await new Promise<void>((resolve) => {
    leaving.close(resolve);
  });

  const taken = await run("serve", "--ports", "auto", "--time-port", String(port));
  const server = startMayfly(t, ["serve", "--ports", "auto", "--time-port", String(free), "--json"], { cwd });
  const { time } = JSON.parse(await server.line(() => true)) as { time: string };

  assert.equal(taken.code, 1);
  assert.match(
    taken.stderr,
    new RegExp(`mayfly: cannot listen on port ${port}: another program listens there`),
  );
  assert.equal(time, `localhost:${free}`);
});
