/**
 * A device's day with Cloud IoT Core, lived by client libraries that nobody here wrote: connect with a token, user name
 * `unused`; subscribe to config and commands; publish events, events of a subfolder and state with QoS 1; be closed when
 * the token has ended; come back with a new one, and subscribe again. And a gateway's: attach, speak for a device, listen.
 *
 * Each library is held by a small program below `clients/`, all with the same orders and answers. The key, the token
 * and what else the device is made of come from openssl, the registry from the v1 API: its policy is `iot-core`.
 * What the official SDKs did is told in docs/reference/iot-core-clients.md.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { on } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { requireService, type ServiceName } from "../../tools/services.ts";
import { clientIdentifier, location, project, registry } from "../process/bridge-process.ts";
import { ContractHouse, devicePath, nowSeconds } from "./contract-house.ts";

const execute = promisify(execFile);
const programs = join(import.meta.dirname, "clients");
/** The policy iot-core keeps a session this long after its token's `exp`. */
const graceSeconds = 600;
const bindPath = `v1/projects/${project}/locations/${location}/registries/${registry}:bindDeviceToGateway`;
let house: ContractHouse;

before(async () => {
  house = await ContractHouse.start();
});
after(() => house.end());

interface Library {
  readonly name: string;
  readonly services: readonly ServiceName[];
  readonly key: "ec" | "rsa";
  /** How the device's credential was registered. */
  readonly credential: () => Readonly<Record<string, unknown>>;
  /** @returns the program that holds the library, and its first arguments. */
  readonly program: () => readonly [string, ...string[]];
}

const libraries: readonly Library[] = [
  {
    name: "paho C",
    services: ["cc", "paho-c"],
    key: "ec",
    credential: () => house.credential("ec"),
    program: () => [compiled("paho_c.c", "paho-mqtt3cs")],
  },
  {
    name: "paho Python",
    services: ["paho"],
    key: "rsa",
    credential: () => house.credential("rsa"),
    program: () => ["/usr/bin/python3", join(programs, "paho_python.py")],
  },
  {
    name: "MQTT.js",
    services: [],
    key: "ec",
    credential: () => house.certificate("ec"),
    program: () => [process.execPath, join(programs, "mqtt-js.ts")],
  },
];

for (const { name, services, key, credential, program } of libraries) {
  test(`a device that speaks by ${name} lives a day of Cloud IoT Core: config, commands, events, state, the next token`, async (t) => {
    for (const service of services) requireService(t, service);
    const id = `by-${name.toLowerCase().replaceAll(/[ .]/g, "-")}`;
    const topic = (rest: string) => `/devices/${id}/${rest}`;
    await house.device(id, [], { credentials: [credential()] });
    await house.config(id, "first");
    const device = new DeviceProgram(program(), id);
    t.after(() => device.kill());

    device.order("connect", house.token({ key }));
    await device.told("ready", `message ${topic("config")} first`);
    await house.config(id, "second");
    await device.told(`message ${topic("config")} second`);
    await house.command(id, "open", "valve/3");
    await device.told(`message ${topic("commands/valve/3")} open`);
    await house.command(id, "stop");
    await device.told(`message ${topic("commands")} stop`);
    for (const rest of ["events", "events/alarm/on", "state"]) {
      device.order("publish", topic(rest), `by ${name} to ${rest}`);
      await device.told(`acknowledged ${topic(rest)}`);
    }

    // A token that ended long ago, and whose ten minutes of grace end in four seconds.
    const exp = nowSeconds() + 4 - graceSeconds;
    device.order("connect", house.token({ key, claims: { iat: exp - 3600, exp } }));
    await device.told("ready", `message ${topic("config")} second`);
    await device.told("lost");
    device.order("connect", house.token({ key }));
    await device.told("ready", `message ${topic("config")} second`);
    device.order("publish", topic("events"), "after the renewal");
    await device.told(`acknowledged ${topic("events")}`);

    const delivered = (await house.bridge.pull()).map(({ subfolder, text }) => [subfolder, text]);
    assert.deepEqual(delivered, [
      ["", `by ${name} to events`],
      ["alarm/on", `by ${name} to events/alarm/on`],
      ["", "after the renewal"],
    ]);
    assert.equal(await latestState(id), `by ${name} to state`);
    assert.match(await house.errorStatus(id, 16), /The authorization token expired\.$/);
  });
}

for (const { name, services, key, credential, program } of libraries) {
  test(`a gateway that speaks by ${name} attaches a bound device as the samples do, and speaks for it`, async (t) => {
    for (const service of services) requireService(t, service);
    const gateway = `gateway-${name.toLowerCase().replaceAll(/[ .]/g, "-")}`;
    const id = `behind-${gateway}`;
    const topic = (rest: string) => `/devices/${id}/${rest}`;
    const gatewayConfig = { gatewayType: "GATEWAY", gatewayAuthMethod: "ASSOCIATION_ONLY" };
    await house.device(gateway, [], { credentials: [credential()], gatewayConfig });
    await house.device(id, []);
    await house.config(id, "for the device");
    await house.must("POST", bindPath, { gatewayId: gateway, deviceId: id });
    const device = new DeviceProgram(program(), gateway);
    t.after(() => device.kill());
    device.order("connect", house.token({ key }));
    await device.told("ready", `message /devices/${gateway}/config `);
    device.order("subscribe", `/devices/${gateway}/errors`);
    await device.told(`granted /devices/${gateway}/errors`);

    device.order("subscribe", topic("config"));
    await device.told(`refused ${topic("config")}`, (line) => line.includes("GATEWAY_DEVICE_NOT_FOUND"));
    // The codelab detaches before it attaches, and waits for both; the payloads are those of the samples.
    for (const payload of ["", "{}", '{"authorization" : ""}']) {
      for (const rest of ["detach", "attach"]) {
        device.order("publish", topic(rest), payload);
        await device.told(`acknowledged ${topic(rest)}`);
      }
    }
    device.order("subscribe", topic("config"));
    await device.told(`granted ${topic("config")}`, `message ${topic("config")} for the device`);
    device.order("subscribe", topic("commands/#"));
    await device.told(`granted ${topic("commands/#")}`);
    await house.command(id, "open");
    await device.told(`message ${topic("commands")} open`);
    for (const rest of ["events/alarm", "state"]) {
      device.order("publish", topic(rest), `by ${name} to ${rest}`);
      await device.told(`acknowledged ${topic(rest)}`);
    }

    assert.deepEqual(
      (await house.bridge.pull()).map(({ device: from, subfolder, text }) => [from, subfolder, text]),
      [[id, "alarm", `by ${name} to events/alarm`]],
    );
    assert.equal(await latestState(id), `by ${name} to state`);
    assert.equal((await gatewayConfigOf(id))["lastAccessedGatewayId"], gateway);
  });
}

test("a device that speaks by mosquitto's programs lives the same day, a connection for each deed", async (t) => {
  requireService(t, "mosquitto_pub");
  requireService(t, "mosquitto_sub");
  const id = "by-mosquitto";
  await house.device(id, ["ec"]);
  await house.config(id, "first");
  const as = (token: string) => [
    ...["-h", "localhost", "-p", String(house.bridge.port), "--cafile", house.bridge.endpoints.ca],
    ...["-V", "mqttv311", "-i", clientIdentifier(id), "-u", "unused", "-P", token, "-q", "1"],
  ];

  const token = house.token();
  for (const rest of ["events", "events/alarm/on", "state"]) {
    await execute("mosquitto_pub", [...as(token), "-t", `/devices/${id}/${rest}`, "-m", `to ${rest}`]);
  }
  const heard: string[] = [];
  for (const next of [token, house.token()]) {
    const topics = ["-t", `/devices/${id}/config`, "-t", `/devices/${id}/commands/#`];
    const { stdout } = await execute("mosquitto_sub", [...as(next), ...topics, "-C", "1", "-W", "10", "-v"]);
    heard.push(stdout.trim());
  }

  assert.deepEqual(heard, [`/devices/${id}/config first`, `/devices/${id}/config first`]);
  const delivered = (await house.bridge.pull()).map(({ subfolder, text }) => [subfolder, text]);
  assert.deepEqual(delivered, [
    ["", "to events"],
    ["alarm/on", "to events/alarm/on"],
  ]);
  assert.equal(await latestState(id), "to state");
});

/** One of the programs in `clients/`, as a child: orders in, a line for each thing that happened out. */
class DeviceProgram {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string[]>;

  constructor([program, ...first]: readonly [string, ...string[]], id: string) {
    const { port, endpoints } = house.bridge;
    const args = [...first, "localhost", String(port), endpoints.ca, clientIdentifier(id), id];
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    this.#lines = on(lines, "line", { close: ["close"], signal: AbortSignal.timeout(40_000) })[
      Symbol.asyncIterator
    ]() as AsyncIterator<string[]>;
  }

  order(...words: readonly string[]): void {
    this.#child.stdin?.write(`${words.join(" ")}\n`);
  }

  /** The next lines are these, in any order: a config may overtake the SUBACK's callback. */
  async told(...expected: readonly (string | ((line: string) => boolean))[]): Promise<void> {
    const lines: string[] = [];
    for (const _ of expected) {
      const { value } = await this.#lines.next();
      lines.push(...(value ?? ["(the program ended)"]));
    }
    const missing = expected.filter(
      (wanted) => !lines.some((line) => (typeof wanted === "string" ? line === wanted : wanted(line))),
    );
    assert.deepEqual(missing, [], `told: ${lines.join(" | ")}`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function compiled(source: string, library: string): string {
  const program = join(house.bridge.folder, source.replace(/\.c$/, ""));
  execFileSync("cc", ["-Wall", "-Wextra", join(programs, source), "-o", program, `-l${library}`]);
  return program;
}

async function gatewayConfigOf(id: string): Promise<Readonly<Record<string, unknown>>> {
  return (await house.show(id))["gatewayConfig"] as Readonly<Record<string, unknown>>;
}

async function latestState(id: string): Promise<string> {
  const { deviceStates = [] } = (await house.must("GET", `${devicePath(id)}/states`)) as {
    readonly deviceStates?: readonly { readonly binaryData?: string }[];
  };
  return Buffer.from(deviceStates[0]?.binaryData ?? "", "base64").toString();
}
