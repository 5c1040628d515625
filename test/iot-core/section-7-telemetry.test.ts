/**
 * Section 7 of the contract (and 4.7, 4.9, 8): where a message goes and what it carries, how much a device may send,
 * and what its log says. Clients nobody here wrote: mosquitto over MQTT, curl over HTTPS.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { after, before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier } from "../process/bridge-process.ts";

const execute = promisify(execFile);
const bridge = new BridgeProcess();
const place = ["--location", "us-central1", "--registry", "plant"];
const topic = (name: string) => `projects/mayfly/topics/${name}`;
let token: string;
let numId: string;

before(async () => {
  await bridge.start();
  await bridge.createRegistry(
    ...["--policy", "iot-core", "--log-level", "DEBUG", "--state-pubsub-topic", "states"],
    ...["--event-notification-config", "topic=alerts,subfolder=alerts"],
    ...["--event-notification-config", "topic=telemetry"],
  );
  const keyFile = await bridge.createDevice("sensor-1");
  token = await bridge.mintToken("sensor-1", keyFile);
  const shown = JSON.parse(await bridge.must("device", "show", "sensor-1", ...place, "--json"));
  numId = shown.device.numId;
});
after(() => bridge.end());

function mosquittoFlags(version: string, device = "sensor-1", password = token): string[] {
  return [
    ...["-h", "localhost", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca, "-V", version],
    ...["-i", clientIdentifier(device), "-u", "unused", "-P", password, "-q", "1"],
  ];
}

async function publish(topicName: string, text: string, version = "mqttv311"): Promise<void> {
  await execute("mosquitto_pub", [
    ...mosquittoFlags(version),
    "-t",
    `/devices/sensor-1/${topicName}`,
    "-m",
    text,
  ]);
}

/** Publishes lines over one connection. @returns the program's exit code and how long it took. */
async function publishLines(t: TestContext, topicName: string, lines: readonly string[]) {
  const began = performance.now();
  const child: ChildProcess = spawn("mosquitto_pub", [
    ...[...mosquittoFlags("mqttv311"), "-t", `/devices/sensor-1/${topicName}`, "-l"],
  ]);
  t.after(() => child.kill("SIGKILL"));
  child.stdin?.end(`${lines.join("\n")}\n`);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  return { code, seconds: (performance.now() - began) / 1000 };
}

interface Pulled {
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly topic?: string;
}

async function pull(...flags: readonly string[]): Promise<readonly Pulled[]> {
  const printed = await bridge.must("pull", ...place, "--max", "1000", "--wait", "2", "--json", ...flags);
  return printed
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

const textOf = ({ data }: Pulled) => Buffer.from(data, "base64").toString();

async function curl(call: string, body: unknown) {
  const { stdout } = await execute("curl", [
    ...["-sS", "--cacert", bridge.endpoints.ca, "-H", `authorization: Bearer ${token}`],
    ...["-w", "\n%{http_code} %header{retry-after}", "-d", JSON.stringify(body)],
    `${bridge.endpoints.deviceHttps}/v1/${clientIdentifier("sensor-1")}:${call}`,
  ]);
  return stdout.slice(stdout.lastIndexOf("\n") + 1).trim();
}

test("an event goes to the topic of the first config that matches, with Cloud IoT Core's attributes", async (t) => {
  requireService(t, "mosquitto_pub");

  await publish("events/alerts", "fire");
  await publish("events/alerts/deep", "not an alert", "5");
  await publish("events", "plain");
  await curl("publishEvent", { binaryData: "aHR0cA==", subFolder: "alerts" });
  const alerts = await pull("--topic", "alerts");
  const telemetry = await pull("--topic", topic("telemetry"));

  const attributes = {
    ...{ deviceId: "sensor-1", deviceNumId: numId, deviceRegistryId: "plant" },
    ...{ deviceRegistryLocation: "us-central1", projectId: "mayfly" },
  };
  assert.deepEqual(alerts.map(textOf).sort(), ["fire", "http"]);
  for (const message of alerts) {
    assert.deepEqual(message.attributes, { ...attributes, subFolder: "alerts" });
    assert.equal(message.topic, topic("alerts"));
  }
  assert.deepEqual(telemetry.map(textOf).sort(), ["not an alert", "plain"]);
  const plain = telemetry.find((message) => textOf(message) === "plain");
  assert.deepEqual(plain?.attributes, attributes, "subFolder is absent where there is none");
});

test("a state is kept by the registry and published to its state topic, with subType", async (t) => {
  requireService(t, "mosquitto_pub");

  await publish("state", "valve open");
  const [state, ...others] = await pull("--topic", "states");

  assert.deepEqual(others, []);
  assert.ok(state);
  assert.deepEqual([textOf(state), state.attributes["subType"]], ["valve open", "state"]);
  assert.equal(state.attributes["deviceNumId"], numId);
  assert.equal("subFolder" in state.attributes, false);
});

test("a registry without a topic stores its events all the same, for whoever subscribes to the registry", async (t) => {
  requireService(t, "mosquitto_pub");
  await bridge.must(
    "registry",
    "update",
    "plant",
    "--location",
    "us-central1",
    "--clear-event-notification-configs",
  );

  await publish("events/alerts", "unrouted");
  const alerts = await pull("--topic", "alerts");
  const all = await pull("--subscription", "everything");

  assert.deepEqual(alerts, []);
  const unrouted = all.find((message) => textOf(message) === "unrouted");
  assert.equal(unrouted?.topic, undefined);
  assert.equal(unrouted?.attributes["subFolder"], "alerts");
});

test("QoS 1 above messagesPerSecond is paced, and every message arrives", async (t) => {
  requireService(t, "mosquitto_pub");
  await bridge.must(
    "registry",
    "update",
    "plant",
    "--location",
    "us-central1",
    "--set",
    "messagesPerSecond=20",
  );
  const lines = Array.from({ length: 80 }, (_, index) => `paced ${index}`);

  const { code, seconds } = await publishLines(t, "events/paced", lines);
  const arrived = (await pull("--subscription", "everything"))
    .filter(({ attributes }) => attributes["subFolder"] === "paced")
    .map(textOf);

  assert.equal(code, 0);
  // 20 at once and 20 a second: the last of 80 is acknowledged after 3 s, however fast the machine is.
  assert.ok(seconds >= 2.9, `${seconds} s`);
  assert.deepEqual(new Set(arrived), new Set(lines));
});

test("over HTTPS an event above the rate is 429 with Retry-After", async () => {
  await bridge.must(
    "registry",
    "update",
    "plant",
    "--location",
    "us-central1",
    "--set",
    "messagesPerSecond=1",
  );

  const answers = [];
  for (let n = 0; n < 4; n += 1) answers.push(await curl("publishEvent", { binaryData: "aGk=" }));

  assert.ok(answers.includes("429 1"), answers.join(", "));
  await bridge.must(
    "registry",
    "update",
    "plant",
    "--location",
    "us-central1",
    "--set",
    "messagesPerSecond=100",
  );
});

test("states above the rate end the connection, and the device's log and page say why", async (t) => {
  requireService(t, "mosquitto_pub");
  const lines = Array.from({ length: 10 }, (_, index) => `state ${index}`);

  // mosquitto_pub comes back by itself and sends the rest: the log has as many ends as it needed connections.
  await publishLines(t, "state", lines);
  const log = (await bridge.must("device", "log", "sensor-1", ...place, "--json"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

  const { device } = JSON.parse(await bridge.must("device", "show", "sensor-1", ...place, "--json"));

  assert.equal(device.lastErrorStatus.code, 8);
  const ends = log.filter(({ severity }) => severity === "ERROR").map(({ jsonPayload }) => jsonPayload);
  assert.ok(ends.length > 0);
  assert.deepEqual(ends.at(-1), {
    ...{ eventType: "DISCONNECT", protocol: "MQTT", serviceName: "cloudiot.googleapis.com" },
    disconnectType: "SERVER",
    status: {
      ...{ code: 8, description: "RESOURCE_EXHAUSTED" },
      message: "SERVER: The connection was closed because the device state was updated too often.",
    },
  });
  const kinds = new Set(log.map(({ jsonPayload }) => `${jsonPayload.eventType} ${jsonPayload.protocol}`));
  assert.ok(kinds.has("CONNECT MQTT") && kinds.has("PUBLISH MQTT"), [...kinds].join(", "));
});

test("a device at NONE has an empty log while its registry is at DEBUG", async (t) => {
  requireService(t, "mosquitto_pub");
  const keyFile = await bridge.createDevice("quiet");
  const flags = mosquittoFlags("mqttv311", "quiet", await bridge.mintToken("quiet", keyFile));
  const say = () => execute("mosquitto_pub", [...flags, "-t", "/devices/quiet/events", "-m", "hush"]);
  const log = async () => (await bridge.must("device", "log", "quiet", ...place, "--json")).trim();
  await bridge.must("device", "log-level", "quiet", "NONE", ...place);
  await say();
  const silent = await log();

  await bridge.must("device", "log-level", "quiet", "REGISTRY", ...place);
  await say();

  assert.equal(silent, "");
  assert.match(await log(), /"eventType":"PUBLISH"/);
});
