/**
 * The command line itself: what is refused, how it is said, and the exit code.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mayfly, temporaryFolder } from "./mayfly.ts";

test("an unknown flag is refused with the nearest known one, before a missing flag is complained of", async (t) => {
  const { code, stdout, stderr } = await mayfly(t, ["token", "mint", "--regstry", "r"]);

  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.equal(stderr, "mayfly: unknown option '--regstry' (Did you mean --registry?)\n");
});

test("an unknown command is refused with the nearest known one", async (t) => {
  const { code, stderr } = await mayfly(t, ["regstry", "list"]);

  assert.equal(code, 2);
  assert.match(stderr, /^mayfly: unknown command 'regstry' \(Did you mean registry\?\)\n$/);
});

test("with --json an error is one JSON object on stderr, and stdout stays empty", async (t) => {
  const { code, stdout, stderr } = await mayfly(t, ["token", "mint", "--json"]);

  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.deepEqual(JSON.parse(stderr), {
    error: { code: "usage", message: "--key <FILE> is missing; see mayfly token mint --help" },
  });
});

test("a flag's value out of range is a usage error that says the range", async (t) => {
  const { code, stderr } = await mayfly(t, ["pull", "--max", "0"]);

  assert.equal(code, 2);
  assert.match(stderr, /from 1 to 1000000/);
});

test("every command's help exits 0, and every command knows --json", async (t) => {
  const commands = [
    ["demo"],
    ["serve"],
    ["registry", "create"],
    ["registry", "list"],
    ["registry", "show"],
    ["device", "create"],
    ["device", "list"],
    ["device", "show"],
    ["device", "block"],
    ["device", "unblock"],
    ["device", "keys", "list"],
    ["device", "keys", "add"],
    ["device", "keys", "activate"],
    ["device", "keys", "retire"],
    ["device", "keys", "revoke"],
    ["config", "set"],
    ["command", "send"],
    ["token", "mint"],
    ["token", "inspect"],
    ["token", "verify"],
    ["pull"],
    ["tail"],
    ["agent"],
    ["chip", "info"],
    ["chip", "config", "explain"],
    ["chip", "config", "check"],
    ["chip", "provision"],
    ["chip", "sign-token"],
    ["chip", "attest"],
    ["chip", "random"],
    ["chip", "counter"],
    ["chip", "sim"],
    ["admin-token", "new"],
    ["admin-token", "list"],
    ["admin-token", "revoke"],
    ["time-key", "init"],
    ["time-key", "delegate"],
    ["time-key", "show"],
    ["doctor"],
  ];
  const { createProgram } = await import("../src/program.ts");
  const program = createProgram("0.0.0");

  for (const path of commands) {
    let command = program;
    for (const name of path) {
      const next = command.commands.find((candidate) => candidate.name() === name);
      assert.ok(next, `mayfly ${path.join(" ")}`);
      command = next;
    }
    assert.match(command.helpInformation(), /--json/, path.join(" "));
  }
  assert.equal((await mayfly(t, ["config", "set", "--help"])).code, 0);
});

test("where no server is known the sentence says what to start or which flags to give", async (t) => {
  const folder = await temporaryFolder(t);

  const { code, stderr } = await mayfly(t, ["registry", "list"], { cwd: folder });

  assert.equal(code, 1);
  assert.match(stderr, /no server is known: mayfly-data holds no endpoints\.json/);
});

test("a server that is not there is one sentence, not a stack", async (t) => {
  const { code, stderr } = await mayfly(t, [
    "registry",
    "list",
    "--url",
    "https://127.0.0.1:1",
    "--token",
    "t",
    "--json",
  ]);

  assert.equal(code, 1);
  const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
  assert.equal(error.code, "server_unreachable");
  assert.match(error.message, /^cannot reach https:\/\/127\.0\.0\.1:1: /);
});

test("a token never travels without TLS", async (t) => {
  const { code, stderr } = await mayfly(t, [
    "registry",
    "list",
    "--url",
    "http://127.0.0.1:1",
    "--token",
    "t",
  ]);

  assert.equal(code, 2);
  assert.match(stderr, /must begin with https:\/\//);
});

test("the token of endpoints.json is kept from a server it is not for", async (t) => {
  const folder = await temporaryFolder(t);
  const { writeFile } = await import("node:fs/promises");
  const endpoints = {
    mqtts: "localhost:1",
    deviceHttps: "https://localhost:2",
    admin: "https://localhost:3",
    ca: `${folder}/ca.pem`,
    adminToken: `${folder}/admin-token`,
    project: "mayfly",
    location: "us-central1",
    registry: "",
    pid: 1,
  };
  await writeFile(`${folder}/endpoints.json`, JSON.stringify(endpoints));
  await writeFile(endpoints.adminToken, "secret\n");

  const { code, stderr } = await mayfly(t, [
    "registry",
    "list",
    "--data",
    folder,
    "--url",
    "https://localhost:4",
  ]);

  assert.equal(code, 1);
  assert.match(stderr, /no admin token is known for https:\/\/localhost:4/);
});

test("a subfolder the bridge would refuse is refused at once, in words", async (t) => {
  const { code, stderr } = await mayfly(t, [
    "agent",
    "--device",
    "tomato",
    "--key",
    "none.pem",
    "--subfolder",
    "t/x",
  ]);

  assert.equal(code, 2);
  assert.match(stderr, /^mayfly: --subfolder t\/x is none/);
});
