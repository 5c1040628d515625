/**
 * `mayfly serve` and the commands that speak to it, as processes.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { mayfly, startMayfly, temporaryFolder } from "./mayfly.ts";

interface Endpoints {
  readonly admin: string;
  readonly mqtts: string;
  readonly ca: string;
  readonly adminToken: string;
  readonly pid: number;
}

function readEndpoints(folder: string): Endpoints {
  return JSON.parse(readFileSync(join(folder, "endpoints.json"), "utf8")) as Endpoints;
}

test("a server's life: ready line, owner-only folder, no second server, commands without flags, SIGTERM", async (t) => {
  const cwd = await temporaryFolder(t);
  const folder = join(cwd, "mayfly-data");
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd });
  const run = (...args: readonly string[]) => mayfly(t, args, { cwd });
  const json = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(...args, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  await t.test("it writes endpoints.json and then prints one ready line", async () => {
    const line = await server.line(() => true);

    const endpoints = readEndpoints(folder);
    assert.ok(line.startsWith(`ready  mqtts ${endpoints.mqtts}`), line);
    assert.equal(endpoints.pid, server.pid);
  });

  await t.test("the folder and every secret in it are their owner's alone", () => {
    const { adminToken } = readEndpoints(folder);

    assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const file of [adminToken, join(folder, "endpoints.json"), join(folder, "registry.db")]) {
      assert.equal(statSync(file).mode & 0o077, 0, file);
    }
  });

  await t.test("a second server on the folder is refused with a sentence", async () => {
    const { code, stderr } = await run("serve", "--ports", "auto");

    assert.equal(code, 1);
    assert.match(stderr, /^mayfly: another process serves .*\n$/m);
  });

  await t.test("registry create makes strict, --policy iot-core the other", async () => {
    const strict = await json("registry", "create", "plant");
    const lenient = await json("registry", "create", "legacy", "--policy", "iot-core");

    assert.equal((strict["policy"] as { preset: string }).preset, "strict");
    assert.equal((lenient["policy"] as { preset: string }).preset, "iot-core");
  });

  const files = { key: join(cwd, "a.pub"), other: join(cwd, "b.pub") };
  for (const file of Object.values(files)) {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(file, publicKey.export({ type: "spki", format: "pem" }));
  }

  await t.test("a device is created with its keys and slots, or not at all", async () => {
    const good = await json(
      ...["device", "create", "tomato", "--registry", "plant", "--pending"],
      ...["--public-key", `${files.key}:0`, "--public-key", `${files.other}:1`],
    );
    const taken = await run("device", "create", "copycat", "--registry", "plant", "--public-key", files.key);
    const left = await run("device", "show", "copycat", "--registry", "plant");

    const keys = good["keys"] as readonly { slot: number; state: string }[];
    assert.deepEqual(
      keys.map(({ slot, state }) => [slot, state]),
      [
        [0, "active"],
        [1, "pending"],
      ],
    );
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, /belongs to another device/);
    assert.equal(left.code, 1);
  });

  await t.test("keys are activated, retired and revoked by the beginning of their id", async () => {
    const at = ["--registry", "plant"];
    const { keys } = await json("device", "keys", "list", "tomato", ...at);
    const [first = "", second = ""] = (keys as readonly { keyId: string }[]).map(({ keyId }) => keyId);

    const activated = await json("device", "keys", "activate", "tomato", second.slice(0, 8), ...at);
    const retiring = await json("device", "keys", "retire", "tomato", first, "--after", "7d", ...at);
    const revoked = await json("device", "keys", "revoke", "tomato", first, ...at);

    assert.deepEqual(
      [activated, retiring, revoked].map((key) => key["state"]),
      ["active", "retiring", "revoked"],
    );
  });

  await t.test("config set counts versions, and holds to --version", async () => {
    const at = ["config", "set", "--registry", "plant", "--device", "tomato"];

    const set = await json(...at, "--text", "one");
    const late = await run(...at, "--text", "two", "--version", "1", "--json");

    assert.equal(set["version"], "2");
    assert.equal(late.code, 1);
    assert.equal((JSON.parse(late.stderr) as { error: { code: string } }).error.code, "failed_precondition");
  });

  await t.test("a command to a device that is not connected fails with the reason", async () => {
    const { code, stderr } = await run(
      ...["command", "send", "--registry", "plant", "--device", "tomato", "--text", "x"],
    );

    assert.equal(code, 1);
    assert.match(stderr, /is not subscribed to the commands topic/);
  });

  await t.test("pull makes its subscription and ends when there is nothing", async () => {
    const { code, stdout } = await run("pull", "--registry", "plant", "--wait", "0");

    assert.deepEqual([code, stdout], [0, ""]);
  });

  await t.test(
    "an admin token made on the host works until it is revoked, and is listed without itself",
    async () => {
      const { admin, ca } = readEndpoints(folder);
      const { token, hash } = await json("admin-token", "new", "--name", "ci", "--lifetime", "1h");
      const use = () =>
        run(
          "registry",
          "list",
          "--data",
          join(cwd, "elsewhere"),
          "--url",
          admin,
          "--ca",
          ca,
          "--token",
          String(token),
        );

      const before = await use();
      const { stdout: listed } = await run("admin-token", "list", "--json");
      const revoked = await run("admin-token", "revoke", String(hash));
      const after = await use();

      assert.equal(before.code, 0, before.stderr);
      assert.ok(listed.includes(String(hash)) && !listed.includes(String(token)));
      assert.equal(revoked.code, 0);
      assert.equal(after.code, 1);
      assert.ok(!after.stderr.includes(String(token)));
    },
  );

  await t.test("without its CA the server is not trusted, and the sentence names --ca", async () => {
    const { admin } = readEndpoints(folder);

    const { code, stderr } = await run(
      ...["registry", "list", "--data", join(cwd, "elsewhere"), "--url", admin, "--token", "t"],
    );

    assert.equal(code, 1);
    assert.match(stderr, /not signed by a root you trust; name the server's CA file with --ca/);
  });

  await t.test("the doctor finds nothing wrong, and finds a folder that others can enter", async () => {
    const { chmodSync } = await import("node:fs");
    const well = await run("doctor", "--json");
    chmodSync(folder, 0o755);
    const ill = await run("doctor", "--json");
    chmodSync(folder, 0o700);

    const { checks } = JSON.parse(well.stdout) as { checks: readonly { name: string; status: string }[] };
    assert.deepEqual(
      checks.filter(({ status }) => status === "fail"),
      [],
    );
    assert.ok(checks.some(({ name }) => name === "mqtts certificate"));
    // The second root's key has not been carried away yet.
    assert.deepEqual(
      checks.filter(({ status }) => status === "warn").map(({ name }) => name),
      ["backup root"],
    );
    assert.equal(ill.code, 1);
    assert.match(ill.stdout, /"name":"data folder","status":"fail"/);
  });

  await t.test("SIGTERM drains, takes endpoints.json away and exits 0", async () => {
    server.kill("SIGTERM");

    const { code } = await server.ended;

    assert.equal(code, 0);
    assert.equal(existsSync(join(folder, "endpoints.json")), false);
  });
});

test("a port that is taken is said with what to do", async (t) => {
  const cwd = await temporaryFolder(t);
  const blocker = createServer().listen(0, "127.0.0.1");
  t.after(() => blocker.close());
  await once(blocker, "listening");
  const address = blocker.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const { code, stderr } = await mayfly(
    t,
    ["serve", "--ports", "auto", "--log-level", "silent", "--admin-listen", `127.0.0.1:${port}`],
    { cwd },
  );

  assert.equal(code, 1);
  assert.equal(
    stderr,
    `mayfly: cannot listen on port ${port}: another program listens there; use --ports auto, or make the port free\n`,
  );
});
