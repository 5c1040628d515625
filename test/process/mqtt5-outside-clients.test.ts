/**
 * What clients nobody here wrote make of the limits in our CONNACK: MQTT.js reads them, mosquitto_pub keeps to them by
 * itself, and paho-python, which does not, is told by Reason Code.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import mqtt, { type IConnackPacket } from "mqtt";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier } from "./bridge-process.ts";

const execute = promisify(execFile);
const bridge = new BridgeProcess();
let token: string;

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
  token = await bridge.mintToken("sensor-1", await bridge.createDevice("sensor-1"));
});
after(() => bridge.end());

test("MQTT.js is told every limit in CONNACK, and a Session Expiry Interval above ours is capped", async () => {
  const client = mqtt.connect(`mqtts://localhost:${bridge.port}`, {
    protocolVersion: 5,
    clientId: clientIdentifier("sensor-1"),
    username: "unused",
    password: token,
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
    keepalive: 7_200,
    clean: true,
    properties: { sessionExpiryInterval: 0xffff_ffff, requestResponseInformation: true },
  });
  const connack = await new Promise<IConnackPacket>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("error", reject);
  });
  await client.endAsync();

  const { userProperties, ...limits } = connack.properties ?? {};
  assert.deepEqual(
    { ...limits },
    {
      sessionExpiryInterval: 86_400,
      receiveMaximum: 20,
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 294_912,
      topicAliasMaximum: 16,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      serverKeepAlive: 1_200,
    },
  );
  assert.deepEqual(Object.keys(userProperties ?? {}), ["server-time", "exp", "renew-from", "renew-until"]);
});

/** @returns what it complained of. */
async function mosquittoPublishes(...flags: readonly string[]): Promise<string> {
  const { stderr } = await execute("mosquitto_pub", [
    ...["-h", "localhost", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca, "-V", "5"],
    ...["-i", clientIdentifier("sensor-1"), "-u", "unused", "-P", token],
    ...["-t", "/devices/sensor-1/events", ...flags],
  ]);
  return stderr;
}

test("mosquitto_pub -V 5 that is to retain reads Retain Available 0 and publishes without, so nothing is lost", async (t) => {
  requireService(t, "mosquitto_pub");

  const complaint = await mosquittoPublishes("-q", "1", "-r", "-m", "retained");

  const delivered = await bridge.pull();
  assert.equal(complaint, "");
  assert.deepEqual(
    delivered.map(({ text }) => text),
    ["retained"],
  );
});

test("mosquitto_pub -V 5 that is to publish with QoS 2 reads Maximum QoS 1 and does not", async (t) => {
  requireService(t, "mosquitto_pub");

  const complaint = await mosquittoPublishes("-q", "2", "-m", "twice");

  assert.match(complaint, /QoS not supported/);
  assert.deepEqual(await bridge.pull(), []);
});

/** Does one thing as an MQTT 5 client and prints what the bridge answered: `suback 162`, `disconnect 154`. */
const pahoScript = `
import sys, ssl
import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes
host, port, ca, client_id, token, deed = sys.argv[1:7]

def subscribe(client, topic, identifier=None):
    properties = Properties(PacketTypes.SUBSCRIBE)
    if identifier is not None:
        properties.SubscriptionIdentifier = identifier
    client.subscribe(topic, qos=1, properties=properties)

deeds = {
    "retain": lambda c: c.publish("/devices/sensor-1/events", "x", qos=1, retain=True),
    "qos2": lambda c: c.publish("/devices/sensor-1/events", "x", qos=2),
    "large": lambda c: c.publish("/devices/sensor-1/events", "x" * 300000, qos=0),
    "wildcard": lambda c: subscribe(c, "#"),
    "shared": lambda c: subscribe(c, "$share/group//devices/sensor-1/commands/#"),
    "identifier": lambda c: subscribe(c, "/devices/sensor-1/commands/#", 7),
}

client = paho.Client(client_id=client_id, protocol=paho.MQTTv5)
client.tls_set(ca_certs=ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.username_pw_set("unused", token)
answers = []

def on_subscribe(client, userdata, mid, reason_codes, properties):
    answers.append(f"suback {reason_codes[0].value}")

def on_disconnect(client, userdata, reason_code, properties=None):
    # A plain number is paho's own word for a connection that broke without one.
    told = reason_code.value if hasattr(reason_code, "value") else f"untold {reason_code}"
    answers.append(f"disconnect {told}")

client.on_connect = lambda c, u, flags, reason_code, properties: deeds[deed](c)
client.on_subscribe = on_subscribe
client.on_disconnect = on_disconnect
client.connect(host, int(port), keepalive=30)
for _ in range(20):
    if not answers:
        client.loop(1)
print(answers[0])
`;

for (const [deed, answer] of [
  ["retain", "disconnect 154"],
  ["qos2", "disconnect 155"],
  ["large", "disconnect 149"],
  ["wildcard", "suback 162"],
  ["shared", "disconnect 158"],
  ["identifier", "disconnect 161"],
] as const) {
  test(`paho-python that goes beyond CONNACK (${deed}) is told: ${answer}`, async (t) => {
    requireService(t, "paho");

    const { stdout } = await execute("/usr/bin/python3", [
      ...["-c", pahoScript, "localhost", String(bridge.port), bridge.endpoints.ca],
      ...[clientIdentifier("sensor-1"), token, deed],
    ]);

    assert.equal(stdout.trim(), answer);
    assert.deepEqual(await bridge.pull(), []);
  });
}
