/**
 * `mayfly agent --config` as a service: what curl, systemd's own programs and a restarted process see of it.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../../tools/services.ts";
import { mayfly, type Running, startMayfly, temporaryFolder } from "./mayfly.ts";

const run = promisify(execFile);
const unit = new URL("../systemd/mayfly-agent.service", import.meta.url).pathname;

interface House {
  readonly folder: string;
  readonly settings: string;
  readonly socket: string;
  readonly server: Running;
  /** GET below the registry's path of the v1 API, by curl. @returns the body. */
  askAdmin(path: string): Promise<string>;
  mayfly(name: string, ...args: readonly string[]): Promise<string>;
}

/** A server with one device, and settings for that device's service. */
async function arrange(t: TestContext, more: object = {}): Promise<House> {
  const folder = await temporaryFolder(t);
  const server = startMayfly(t, ["serve", "--ports", "auto", "--log-level", "warn"], { cwd: folder });
  await server.line(() => true);
  const plain = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await mayfly(t, args, { cwd: folder });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await plain("registry", "create", "plant");
  /** `--registry` for the commands that have one. */
  const command = (name: string, ...args: readonly string[]): Promise<string> =>
    plain(name, ...args, ...(name === "agent" ? [] : ["--registry", "plant"]));
  await run("openssl", [
    "ecparam",
    "-name",
    "prime256v1",
    "-genkey",
    "-noout",
    "-out",
    join(folder, "d.key"),
  ]);
  await run("openssl", ["ec", "-in", join(folder, "d.key"), "-pubout", "-out", join(folder, "d.pub")]);
  await command("device", "create", "lamp", "--public-key", join(folder, "d.pub"));
  const endpoints = JSON.parse(readFileSync(join(folder, "mayfly-data", "endpoints.json"), "utf8")) as {
    readonly mqtts: string;
    readonly ca: string;
    readonly project: string;
    readonly location: string;
    readonly admin: string;
    readonly adminToken: string;
  };
  const [host = "", port = ""] = endpoints.mqtts.split(":");
  const settings = join(folder, "agent.json");
  writeFileSync(
    settings,
    JSON.stringify({
      device: `projects/${endpoints.project}/locations/${endpoints.location}/registries/plant/devices/lamp`,
      bridge: { host, port: Number(port), ca: endpoints.ca },
      keys: [{ slot: 0, file: "d.key" }],
      stateFolder: "state",
      ...more,
    }),
  );
  const { project, location, admin, ca, adminToken } = endpoints;
  const askAdmin = async (path: string): Promise<string> => {
    const token = readFileSync(adminToken, "utf8").trim();
    const url = `${admin}/v1/projects/${project}/locations/${location}/registries/plant${path}`;
    return (
      await run("curl", [
        "--silent",
        "--fail",
        "--cacert",
        ca,
        "--header",
        `authorization: Bearer ${token}`,
        url,
      ])
    ).stdout;
  };
  return { folder, settings, socket: join(folder, "agent.sock"), server, askAdmin, mayfly: command };
}

function startService(t: TestContext, house: House, env: NodeJS.ProcessEnv = {}): Running {
  return startMayfly(t, ["agent", "--config", house.settings], { cwd: "/", env });
}

/** curl, which knows nothing of us. @returns Status, headers and body. */
async function curl(
  house: Pick<House, "socket">,
  path: string,
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly headers: string; readonly body: string }> {
  const { stdout } = await run("curl", [
    ...["--silent", "--show-error", "--max-time", "20", "--include", "--unix-socket", house.socket],
    ...args,
    `http://agent${path}`,
  ]);
  const end = stdout.indexOf("\r\n\r\n");
  return {
    status: Number(stdout.slice(9, 12)),
    headers: stdout.slice(0, end).toLowerCase(),
    body: stdout.slice(end + 4),
  };
}

const isEvent = (name: string) => (line: string) => line.includes(`"event":"${name}"`);

test("a service's day: programs publish, are configured and commanded over its socket", async (t) => {
  requireService(t, "curl");
  requireService(t, "openssl");
  const house = await arrange(t, { metrics: { port: 0 } });
  const service = startService(t, house);
  await service.line(isEvent("connected"));

  await t.test("a message posted by curl arrives, and is told to be acknowledged", async () => {
    const answer = await curl(
      house,
      "/v1/events/room/hall?wait=10",
      ...["--data-binary", "19.5", "--header", "mayfly-message-id: m-1"],
    );

    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(JSON.parse(answer.body), { state: "acknowledged" });
    const pulled = JSON.parse(await house.mayfly("pull", "--json")) as Record<string, unknown>;
    assert.equal(Buffer.from(String(pulled["data"]), "base64").toString(), "19.5");
    assert.equal((pulled["attributes"] as Record<string, string>)["subFolder"], "room/hall");
  });

  await t.test("a state posted by curl is the device's newest state", async () => {
    const answer = await curl(house, "/v1/state?wait=10", "--data-binary", "on");

    assert.deepEqual(JSON.parse(answer.body), { state: "acknowledged" });
    const states = JSON.parse(await house.askAdmin("/devices/lamp/states"));
    assert.equal(Buffer.from(states.deviceStates[0].binaryData, "base64").toString(), "on");
  });

  await t.test("a program that waits for the next config gets it, and not the same again", async () => {
    const first = await curl(house, "/v1/config?wait=5");
    const waiting = curl(house, "/v1/config?wait=20", "--header", `if-none-match: ${etagOf(first)}`);
    await house.mayfly("config", "set", "--device", "lamp", "--text", "dim=3");

    const second = await waiting;

    assert.equal(second.body, "dim=3");
    const third = await curl(house, "/v1/config", "--header", `if-none-match: ${etagOf(second)}`);
    assert.equal(third.status, 304);
  });

  await t.test("a command is acknowledged when the program that took it is done", async () => {
    const sent = house.mayfly(
      "command",
      "send",
      "--device",
      "lamp",
      "--text",
      "reboot",
      "--subfolder",
      "box",
    );
    const taken = await curl(house, "/v1/commands/next?wait=20");
    const id = /mayfly-command-id: (\d+)/.exec(taken.headers)?.[1] ?? "";

    assert.equal(taken.body, "reboot");
    assert.match(taken.headers, /mayfly-subfolder: box/);
    assert.equal((await curl(house, `/v1/commands/${id}/done`, "--request", "POST")).status, 204);
    await sent;
    assert.equal((await curl(house, `/v1/commands/${id}/done`, "--request", "POST")).status, 404);
  });

  await t.test("its status is sentences for a person, and JSON for a program", async () => {
    const words = await house.mayfly("agent", "status", "--config", house.settings);
    const json = JSON.parse(await house.mayfly("agent", "status", "--socket", house.socket, "--json"));

    assert.match(words, /^Connected\.\n\nDevice {4}projects\/.*\/devices\/lamp\n/);
    assert.match(words, /Token {5}good for another (59 min|1 h)/);
    assert.equal(json.agent.state, "connected");
    assert.equal(json.agent.acknowledged, 2);
  });

  await t.test("its metrics count what it did", async () => {
    const { body } = await curl(house, "/metrics");

    assert.match(body, /^mayfly_agent_messages_acknowledged_total 2$/m);
    assert.match(body, /^mayfly_agent_state\{state="connected"\} 1$/m);
    assert.match(body, /^mayfly_agent_token_remaining_seconds 3[56]\d\d/m);
  });

  await t.test("what is malformed is refused in words, and the service goes on", async () => {
    const large = join(house.folder, "large");
    writeFileSync(large, Buffer.alloc(256 * 1024 + 1));
    const refused = async (path: string, ...args: readonly string[]) => {
      const { status, body } = await curl(house, path, ...args);
      return [status, JSON.parse(body).error.code];
    };

    assert.deepEqual(await refused("/v1/events?qos=2", "--data", "x"), [400, "request_malformed"]);
    assert.deepEqual(await refused("/v1/events?wait=61", "--data", "x"), [400, "request_malformed"]);
    assert.deepEqual(await refused("/v1/events/a", "--data", "x"), [400, "subfolder_malformed"]);
    assert.deepEqual(await refused("/v1/events", "--data-binary", `@${large}`), [413, "message_too_large"]);
    assert.deepEqual(await refused("/v1/nothing"), [404, "not_found"]);
    assert.deepEqual(await refused("/v1/commands/999/done", "--request", "POST"), [404, "not_found"]);
    assert.equal((await curl(house, "/v1/events?wait=10", "--data", "y")).status, 200);
  });

  await t.test("its socket is its owner's alone, and a second service on it is refused", async () => {
    assert.equal(statSync(house.socket).mode & 0o777, 0o600);

    const second = await mayfly(t, ["agent", "--config", house.settings], { cwd: "/" });

    assert.equal(second.code, 1);
    assert.match(second.stderr, /another agent/);
    assert.equal((await curl(house, "/v1/status")).status, 200);
  });

  await t.test("nothing it wrote holds a token, a key or a payload", async () => {
    const text = service.stdoutLines.join("\n");

    assert.ok(text.includes('"event":"connected"'));
    assert.doesNotMatch(text, /eyJ|PRIVATE KEY|19\.5|dim=3|reboot/);
  });

  await t.test("told to end it ends, with 0, and takes its socket away", async () => {
    service.kill("SIGTERM");

    assert.equal((await service.ended).code, 0);
    assert.ok(!existsSync(house.socket));
  });
});

test("a service that was killed starts again over its own socket, with the config it had", async (t) => {
  requireService(t, "curl");
  requireService(t, "openssl");
  const house = await arrange(t);
  const first = startService(t, house);
  await first.line(isEvent("connected"));
  await house.mayfly("config", "set", "--device", "lamp", "--text", "dim=7");
  const before = await curl(house, "/v1/config?wait=10");
  const config =
    before.body === "dim=7"
      ? before
      : await curl(house, "/v1/config?wait=10", "--header", `if-none-match: ${etagOf(before)}`);
  assert.equal(config.body, "dim=7");
  first.kill("SIGKILL");
  await first.ended;
  house.server.kill("SIGTERM");
  await house.server.ended;

  const second = startService(t, house);
  await second.line(isEvent("started"));

  assert.equal((await curl(house, "/v1/config")).body, "dim=7");
  assert.match(await house.mayfly("agent", "status", "--socket", house.socket), /^Not connected/);
});

test("the config a service has is not handed over again at its next start; one whose file is gone is", async (t) => {
  requireService(t, "curl");
  requireService(t, "openssl");
  const house = await arrange(t);
  await house.mayfly("config", "set", "--device", "lamp", "--text", "dim=7");
  /** @returns How many configs it was handed until it had the one that was sent last. */
  const restartAndSet = async (text: string): Promise<number> => {
    const service = startService(t, house);
    await service.line(isEvent("connected"));
    // Configs come in order: with the second the first is decided.
    await curl(house, "/v1/events?wait=10", "--data", "x");
    const before = await curl(house, "/v1/config?wait=10");
    await house.mayfly("config", "set", "--device", "lamp", "--text", text);
    const after = await curl(house, "/v1/config?wait=10", "--header", `if-none-match: ${etagOf(before)}`);
    assert.equal(after.body, text);
    service.kill("SIGTERM");
    await service.ended;
    return service.stdoutLines.filter(isEvent("config_applied")).length;
  };

  const first = await restartAndSet("dim=8");
  const second = await restartAndSet("dim=9");
  rmSync(join(house.folder, "state", "config.bin"));
  const third = await restartAndSet("dim=10");

  assert.deepEqual([first, second, third], [2, 1, 2]);
});

test("what curl was told is kept, while nobody was at the other end, arrives after kill -9 of the service", async (t) => {
  requireService(t, "curl");
  const house = await arrange(t);
  const settings = readFileSync(house.settings, "utf8");
  const nowhere = JSON.parse(settings) as { bridge: { port: number } };
  // Nobody listens at port 1.
  nowhere.bridge.port = 1;
  writeFileSync(house.settings, JSON.stringify(nowhere));
  const first = startService(t, house);
  await first.line(isEvent("started"));

  const answers = [];
  for (const text of ["one", "two", "three"]) answers.push(await curl(house, "/v1/events", "--data", text));
  const kept = (await curl(house, "/v1/status")).body;
  first.kill("SIGKILL");
  await first.ended;
  writeFileSync(house.settings, settings);
  const second = startService(t, house);
  await second.line(isEvent("connected"));

  assert.deepEqual(
    answers.map(({ status, body }) => [status, JSON.parse(body)]),
    Array.from({ length: 3 }, () => [200, { state: "kept" }]),
  );
  assert.equal((JSON.parse(kept) as { agent: { queuedMessages: number } }).agent.queuedMessages, 3);
  assert.match(second.stdoutLines.find(isEvent("outbox_opened")) ?? "", /"messages":3,"damaged":0/);
  const pulled = (await house.mayfly("pull", "--wait", "10", "--json")).trim().split("\n");
  const texts = pulled.map((line) =>
    Buffer.from(String((JSON.parse(line) as Record<string, unknown>)["data"]), "base64").toString(),
  );
  assert.deepEqual(texts, ["one", "two", "three"]);
});

test("a service that cannot start whole ends with a sentence, and leaves neither a process nor a socket", async (t) => {
  requireService(t, "openssl");
  const taken = createServer();
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const house = await arrange(t, { metrics: { port } });

  const service = startService(t, house);
  const { code, stderr } = await service.ended;

  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`cannot listen at 127\\.0\\.0\\.1:${port}`));
  assert.ok(!existsSync(house.socket));
});

test("systemd is told when it is ready, that it lives, and that it ends", async (t) => {
  requireService(t, "python3");
  requireService(t, "openssl");
  requireService(t, "systemd-notify");
  const house = await arrange(t);
  const notifySocket = join(house.folder, "notify");
  // A datagram socket of another program's making, as systemd's is.
  const listener = spawn(
    "python3",
    [
      "-c",
      [
        "import socket, sys",
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "s.bind(sys.argv[1])",
        "print('bound', flush=True)",
        "while True: print(s.recv(4096).decode().replace(chr(10), ' '), flush=True)",
      ].join("\n"),
      notifySocket,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  t.after(() => listener.kill("SIGKILL"));
  let heard = "";
  const hears = async (text: string): Promise<void> => {
    while (!heard.includes(text)) await once(listener.stdout, "data");
  };
  listener.stdout.on("data", (bytes) => {
    heard += String(bytes);
  });
  await hears("bound");

  const service = startService(t, house, { NOTIFY_SOCKET: notifySocket, WATCHDOG_USEC: "3000000" });
  await hears("READY=1");
  await hears("WATCHDOG=1");
  await hears("STATUS=Connected.");
  service.kill("SIGTERM");
  await hears("STOPPING=1");

  assert.equal((await service.ended).code, 0);
});

test("systemd's own checker finds the unit's exposure low", async (t) => {
  requireService(t, "systemd-analyze");

  const { stdout } = await run("systemd-analyze", ["security", "--offline=yes", "--threshold=25", unit]);

  assert.match(stdout, /Overall exposure level for mayfly-agent\.service: [01]\.\d OK/);
});

test("settings that cannot be meant are refused with the field's name before anything starts", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "agent.json");
  const cases: readonly (readonly [string, RegExp])[] = [
    ["{", /the file is not JSON/],
    ["[]", /the file must be an object/],
    ["{}", /device is missing/],
    [JSON.stringify({ device: "lamp" }), /device/],
  ];

  for (const [text, sentence] of cases) {
    writeFileSync(file, text);
    const { code, stderr } = await mayfly(t, ["agent", "--config", file], { cwd: folder });
    assert.equal(code, 1);
    assert.match(stderr, sentence);
  }
  const twice = await mayfly(t, ["agent", "--config", file, "--device", "x"], { cwd: folder });
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /--device/);
});

function etagOf(answer: { readonly headers: string }): string {
  return /etag: ("[^"]*")/.exec(answer.headers)?.[1] ?? '"none"';
}
