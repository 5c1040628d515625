/**
 * Gateways (the contract's section 6) as clients nobody here wrote meet them: paho-python does what Cloud IoT Core's
 * gateway sample did, step by step; mosquitto and MQTT.js for the rest. The bridge is a process of its own, its
 * registry of the preset iot-core; keys are openssl's.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import mqtt, { type MqttClient } from "mqtt";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier, registry } from "../process/bridge-process.ts";

const execute = promisify(execFile);
const bridge = new BridgeProcess();
const keys = new Map<string, string>();
const inRegistry = ["--location", "us-central1", "--registry", registry] as const;

before(async () => {
  await bridge.start();
  await bridge.createRegistry("--policy", "iot-core");
  for (const id of ["sensor-1", "sensor-2", "gw-1", "gw-2"]) keys.set(id, await bridge.createDevice(id));
  await createGateway("gateway-1", "association-and-device-auth-token");
  await createGateway("gateway-2", "association-only");
  await bridge.must("gateway", "bind", ...inRegistry, "gateway-1", "sensor-1");
  await bridge.must("gateway", "bind", ...inRegistry, "gateway-2", "sensor-1", "sensor-2");
});
after(() => bridge.end());

async function createGateway(id: string, method: string): Promise<void> {
  // Its key is that of a device made beside it: iot-core takes a key twice.
  const keyFile = keys.get(id.replace("gateway", "gw")) ?? assert.fail();
  const publicFile = keyFile.replace(".key.pem", ".pub.pem");
  const flags = [...inRegistry, "--public-key", publicFile, "--gateway", method];
  await bridge.must("device", "create", id, ...flags);
  keys.set(id, keyFile);
}

const tokenOf = (id: string): Promise<string> => bridge.mintToken(id, keys.get(id) ?? assert.fail());

interface Pulled {
  readonly data?: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What was published, as `deviceId gatewayId subFolder data`; between devices there is no order. */
async function pulled(): Promise<readonly string[]> {
  const printed = await bridge.must(
    "pull",
    ...inRegistry,
    ...["--subscription", "tests", "--max", "100", "--wait", "1", "--json"],
  );
  return printed
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Pulled)
    .map(({ data = "", attributes }) =>
      [
        attributes["deviceId"],
        attributes["gatewayId"] ?? "-",
        attributes["subFolder"] ?? "-",
        Buffer.from(data, "base64").toString(),
      ].join(" "),
    )
    .sort();
}

/** Connects as MQTT.js; what comes is kept as `topic payload`. */
async function connect(
  t: { after(run: () => Promise<void>): void },
  id: string,
  protocolVersion: 4 | 5,
): Promise<{ readonly client: MqttClient; readonly lines: string[]; until(line: RegExp): Promise<string> }> {
  const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
    protocolVersion,
    clientId: clientIdentifier(id),
    username: "unused",
    password: await tokenOf(id),
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
  });
  t.after(() => client.endAsync(true));
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  client.on("message", (topic, payload) => {
    lines.push(`${topic} ${payload.toString()}`);
    for (const look of waiting) look();
  });
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      const look = () => {
        const line = lines.find((one) => pattern.test(one));
        if (line === undefined) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
      look();
    });
  return { client, lines, until };
}

/** As in the documentation: attach, await the PUBACK, subscribe, publish, detach; errors are printed. */
const pahoGateway = `
import json, ssl, sys, time
import paho.mqtt.client as paho
host, port, ca, client_id, token, gateway, device, authorization = sys.argv[1:9]
acknowledged, granted, said = set(), {}, []
client = paho.Client(client_id=client_id, protocol=paho.MQTTv311)
client.tls_set(ca_certs=ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.username_pw_set("unused", token)
client.on_publish = lambda c, u, mid: acknowledged.add(mid)
client.on_subscribe = lambda c, u, mid, qos: granted.__setitem__(mid, list(qos))
client.on_message = lambda c, u, m: said.append([m.topic, m.payload.decode(), m.qos])
connected = []
client.on_connect = lambda c, u, flags, rc: connected.append(rc)
client.connect(host, int(port), keepalive=30)

def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        client.loop(0.05)
    return condition()

def publish(topic, payload, seconds=10):
    mid = client.publish(topic, payload, qos=1).mid
    return until(lambda: mid in acknowledged, seconds)

def subscribe(topic, qos):
    mid = client.subscribe(topic, qos)[1]
    until(lambda: mid in granted, 10)
    return granted.get(mid)

until(lambda: connected, 10)
facts = {"connected": connected[0], "errors": subscribe(f"/devices/{gateway}/errors", 1)}
facts["attached"] = publish(f"/devices/{device}/attach", json.dumps({"authorization": authorization}), 3)
if facts["attached"]:
    facts["config"] = subscribe(f"/devices/{device}/config", 1)
    facts["commands"] = subscribe(f"/devices/{device}/commands/#", 0)
    facts["event"] = publish(f"/devices/{device}/events/air", "41 %")
    facts["state"] = publish(f"/devices/{device}/state", "well")
    facts["own"] = publish(f"/devices/{gateway}/events", "of the gateway")
    facts["detached"] = publish(f"/devices/{device}/detach", "{}")
    publish(f"/devices/{device}/events", "too late")
until(lambda: any(topic.endswith("/errors") for topic, _, _ in said), 5)
facts["said"] = said
print(json.dumps(facts))
`;

interface GatewayFacts {
  readonly connected: number;
  readonly errors: readonly number[];
  readonly attached: boolean;
  readonly config?: readonly number[];
  readonly commands?: readonly number[];
  readonly event?: boolean;
  readonly state?: boolean;
  readonly own?: boolean;
  readonly detached?: boolean;
  readonly said: readonly (readonly [topic: string, payload: string, qos: number])[];
}

async function runPaho(gateway: string, device: string, authorization: string): Promise<GatewayFacts> {
  const { stdout } = await execute("/usr/bin/python3", [
    ...["-c", pahoGateway, "localhost", String(bridge.port), bridge.endpoints.ca],
    ...[clientIdentifier(gateway), await tokenOf(gateway), gateway, device, authorization],
  ]);
  return JSON.parse(stdout) as GatewayFacts;
}

test("paho-python as a gateway attaches, subscribes, publishes and detaches; its device's messages name it", async (t) => {
  requireService(t, "paho");

  const { said, ...facts } = await runPaho("gateway-1", "sensor-1", await tokenOf("sensor-1"));

  assert.deepEqual(facts, {
    ...{ connected: 0, errors: [0], attached: true, config: [1], commands: [0] },
    ...{ event: true, state: true, own: true, detached: true },
  });
  assert.deepEqual(said[0], ["/devices/sensor-1/config", "", 1]);
  assert.deepEqual(await pulled(), ["gateway-1 - - of the gateway", "sensor-1 gateway-1 air 41 %"]);
  const [topic, payload, qos] = said.at(-1) ?? assert.fail();
  assert.deepEqual([topic, qos], ["/devices/gateway-1/errors", 0]);
  const error = JSON.parse(payload) as { mqtt_message_info: { packet_id: unknown } };
  assert.equal(typeof error.mqtt_message_info.packet_id, "number");
  assert.deepEqual(
    { ...error, mqtt_message_info: { ...error.mqtt_message_info, packet_id: 0 } },
    {
      error_type: "GATEWAY_DEVICE_NOT_FOUND",
      description: "The specified device with ID 'sensor-1' is not attached to the gateway.",
      device_id: "sensor-1",
      mqtt_message_info: { message_type: "PUBLISH", topic: "/devices/sensor-1/events", packet_id: 0 },
    },
  );
});

test("paho-python gets no PUBACK for an attach that failed, and the error on its topic", async (t) => {
  requireService(t, "paho");

  const unbound = await runPaho("gateway-1", "sensor-2", await tokenOf("sensor-2"));
  const unproven = await runPaho("gateway-1", "sensor-1", await tokenOf("sensor-2"));

  for (const { attached, said } of [unbound, unproven]) {
    assert.equal(attached, false);
    assert.equal(
      (JSON.parse(said[0]?.[1] ?? "") as { error_type: string }).error_type,
      "GATEWAY_ATTACHMENT_ERROR",
    );
  }
});

test("the registry shows which gateway spoke for a device last", async (t) => {
  requireService(t, "paho");
  await runPaho("gateway-1", "sensor-1", await tokenOf("sensor-1"));
  await pulled();

  const shown = await bridge.must("device", "show", ...inRegistry, "--json", "sensor-1");

  const { device } = JSON.parse(shown) as { device: { gatewayConfig: Record<string, string> } };
  assert.equal(device.gatewayConfig["lastAccessedGatewayId"], "gateway-1");
  assert.ok(Date.parse(device.gatewayConfig["lastAccessedGatewayTime"] ?? "") > 0);
});

test("mosquitto_pub attaches by association alone with an empty payload, on 3.1.1 and 5.0", async (t) => {
  requireService(t, "mosquitto_pub");
  for (const version of ["mqttv311", "5"]) {
    const { stderr } = await execute("mosquitto_pub", [
      ...(await mosquittoFlags("gateway-2", version)),
      ...["-t", "/devices/sensor-2/attach", "-q", "1", "-n"],
    ]);

    assert.equal(stderr, "");
  }
});

test("mosquitto_pub -V 5 is told by the PUBACK that a device may not attach", async (t) => {
  requireService(t, "mosquitto_pub");

  const { stdout, stderr } = await execute("mosquitto_pub", [
    ...(await mosquittoFlags("gateway-1", "5")),
    ...["-t", "/devices/sensor-2/attach", "-q", "1", "-n"],
  ]).catch((error: { stdout: string; stderr: string }) => error);

  assert.match(`${stdout}${stderr}`, /Not authorized/);
});

async function mosquittoFlags(id: string, version: string): Promise<string[]> {
  return [
    ...["-h", "localhost", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca, "-V", version],
    ...["-i", clientIdentifier(id), "-u", "unused", "-P", await tokenOf(id)],
  ];
}

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT.js as a gateway: config, commands, then a block that detaches within a second (level ${protocolVersion})`, async (t) => {
    await bridge.must("device", "unblock", ...inRegistry, "sensor-2");
    const { client, until } = await connect(t, "gateway-2", protocolVersion);
    await client.subscribeAsync("/devices/gateway-2/errors", { qos: 0 });
    await client.publishAsync("/devices/sensor-2/attach", "", { qos: 1 });
    await client.subscribeAsync(["/devices/sensor-2/config", "/devices/sensor-2/commands/#"], { qos: 1 });
    const text = `config ${protocolVersion}`;

    await bridge.must("config", "set", ...inRegistry, "--device", "sensor-2", "--text", text);
    await until(new RegExp(`^/devices/sensor-2/config ${text}$`));
    const command = ["--device", "sensor-2", "--subfolder", "valve", "--text", "open"];
    await bridge.must("command", "send", ...inRegistry, ...command);
    await until(/^\/devices\/sensor-2\/commands\/valve open$/);
    const blocking = bridge.must("device", "block", ...inRegistry, "sensor-2");
    const error = await until(/GATEWAY_DETACHMENT_DEVICE_ERROR/);
    // The command has its answer at the commit; the gateway heard of it before the program ended, or right then.
    await blocking;

    assert.match(error, /"device_id":"sensor-2"/);
    assert.equal(client.connected, true);
  });
}

test("the newest attach wins, over two gateways", async (t) => {
  const first = await connect(t, "gateway-1", 4);
  const second = await connect(t, "gateway-2", 4);
  await first.client.subscribeAsync("/devices/gateway-1/errors", { qos: 0 });
  const authorization = await tokenOf("sensor-1");
  await first.client.publishAsync("/devices/sensor-1/attach", JSON.stringify({ authorization }), { qos: 1 });

  await second.client.publishAsync("/devices/sensor-1/attach", "{}", { qos: 1 });
  const error = await first.until(/errors/);
  await second.client.publishAsync("/devices/sensor-1/events", "by the second", { qos: 1 });

  assert.match(error, /GATEWAY_DETACHMENT_DEVICE_ERROR.*attached through another gateway/);
  assert.deepEqual(await pulled(), ["sensor-1 gateway-2 - by the second"]);
});

test("a device that connects itself is detached, and one that is attached loses its own connection", async (t) => {
  const gateway = await connect(t, "gateway-2", 4);
  await gateway.client.subscribeAsync("/devices/gateway-2/errors", { qos: 0 });
  const direct = await connect(t, "sensor-1", 5);
  const closed = new Promise((resolve) => direct.client.once("close", () => resolve(undefined)));

  await gateway.client.publishAsync("/devices/sensor-1/attach", "", { qos: 1 });
  await closed;
  await connect(t, "sensor-1", 5);
  const error = await gateway.until(/errors/);

  assert.match(error, /GATEWAY_DETACHMENT_DEVICE_ERROR.*has connected itself/);
});
