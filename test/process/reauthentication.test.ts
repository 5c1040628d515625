/**
 * Re-authentication (MQTT 5.0 §4.12.1) seen from outside: clients that share no code with the bridge renew their
 * sessions by AUTH, and another program reads the wire.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { MqttClient } from "mqtt";
import { type IAuthPacket, writeToStream } from "mqtt-packet";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier } from "./bridge-process.ts";
import { Mqtt5Client, method, reauthenticate, type Told, userProperty } from "./mqtt5-client.ts";
import { PacketCapture } from "./packet-capture.ts";

const execute = promisify(execFile);

const notAuthorized = 0x87;
const protocolError = 0x82;
const malformedPacket = 0x81;
const badAuthenticationMethod = 0x8c;
const messageRateTooHigh = 0x96;

/** User Properties of a packet that accepts a token. */
const tokenNames = ["server-time", "exp", "renew-from", "renew-until"];

const bridge = new BridgeProcess();
let keyFile: string;
let otherKeyFile: string;

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
  keyFile = await bridge.createDevice("sensor-1");
  otherKeyFile = await bridge.createDevice("sensor-2");
});
after(() => bridge.end());

/** A client of sensor-1's that has connected by the method. */
async function connected(t: TestContext, keyLogFile?: string): Promise<Mqtt5Client> {
  const client = new Mqtt5Client(t, bridge, "sensor-1", keyLogFile);
  const { token } = await client.mint(keyFile, { exp: 600 });
  const { packet, reasonCode } = await client.connect({ method, data: token });
  assert.deepEqual([packet, reasonCode], ["CONNACK", 0]);
  return client;
}

/** The packet is the bridge's last word, with this Reason Code. */
async function assertEnded(client: Mqtt5Client, told: Told, reasonCode: number): Promise<void> {
  assert.deepEqual([told.packet, told.reasonCode], ["DISCONNECT", reasonCode]);
  assert.equal((await client.next()).packet, "closed");
}

test("a session renewed twice by AUTH outlives two tokens, and ends with the third", async (t) => {
  const client = new Mqtt5Client(t, bridge, "sensor-1");
  const first = await client.mint(keyFile, { exp: 3 });
  const payloads: string[] = [];
  const publishUntil = async (seconds: number) => {
    while (Date.now() < seconds * 1000) {
      const payload = `message ${payloads.length}`;
      const { packet, reasonCode } = await client.publish(payload);
      assert.deepEqual([packet, reasonCode], ["PUBACK", 0]);
      payloads.push(payload);
      await delay(20);
    }
  };

  const connack = await client.connect({ method, data: first.token });
  const second = await client.mint(keyFile, { exp: 8 });
  const answer = await client.auth({ data: second.token });
  const verifiedSeconds = answer.at;
  await publishUntil(Math.max(first.exp + 1, verifiedSeconds + 5.1));
  const third = await client.mint(keyFile, { exp: 4 });
  const nextAnswer = await client.auth({ data: third.token });
  await publishUntil(second.exp + 0.3);
  const disconnect = await client.next();
  const end = await client.next();

  t.diagnostic(`cut ${Math.round((disconnect.at - third.exp) * 1000)} ms after exp`);
  for (const [told, { exp }] of [
    [connack, first],
    [answer, second],
    [nextAnswer, third],
  ] as const) {
    assert.equal(told.reasonCode, 0);
    assert.equal(told.properties?.["Authentication Method"], method);
    assert.ok(Math.abs(Number(userProperty(told, "server-time")) - told.at) <= 1);
    assert.equal(userProperty(told, "exp"), String(exp));
    assert.ok(Number(userProperty(told, "renew-from")) <= Number(userProperty(told, "renew-until")));
    assert.ok(Number(userProperty(told, "renew-until")) < exp);
  }
  assert.deepEqual([connack.packet, answer.packet, nextAnswer.packet], ["CONNACK", "AUTH", "AUTH"]);
  assert.deepEqual([disconnect.packet, disconnect.reasonCode], ["DISCONNECT", 0x87]);
  assert.equal(disconnect.properties?.["Reason String"], "token_expired");
  assert.ok(Math.abs(disconnect.at - third.exp) <= 1, `cut ${disconnect.at - third.exp} s after exp`);
  assert.equal(end.packet, "closed");
  assert.deepEqual(
    (await bridge.pull()).map(({ text }) => text),
    payloads,
  );
});

test("AUTH with a token of another device's key ends the connection with 0x87, and says no more", async (t) => {
  const client = await connected(t);
  const { token } = await client.mint(otherKeyFile, { exp: 600 });

  const told = await client.auth({ data: token });

  await assertEnded(client, told, notAuthorized);
  assert.equal(told.properties?.["Reason String"], undefined);
});

test("AUTH with an expired token ends the connection with 0x87 token_expired", async (t) => {
  const client = await connected(t);
  const { token } = await client.mint(keyFile, { iat: -60, exp: -30 });

  const told = await client.auth({ data: token });

  await assertEnded(client, told, notAuthorized);
  assert.equal(told.properties?.["Reason String"], "token_expired");
});

for (const { what, order } of [
  { what: "by another method than CONNECT's", order: { method: "SCRAM-SHA-256" } },
  { what: "without a method", order: { method: null } },
  { what: "with 0x18, which continues what nobody began,", order: { reasonCode: 0x18 } },
]) {
  test(`AUTH ${what} ends the connection with 0x82`, async (t) => {
    const client = await connected(t);
    const { token } = await client.mint(keyFile, { exp: 600 });

    const told = await client.auth({ data: token, ...order });

    await assertEnded(client, told, protocolError);
  });
}

test("AUTH in a session that was opened with a Password ends the connection with 0x82", async (t) => {
  const client = new Mqtt5Client(t, bridge, "sensor-1");
  const { token } = await client.mint(keyFile, { exp: 600 });
  const connack = await client.connect({ password: token });
  const next = await client.mint(keyFile, { exp: 600 });

  const told = await client.auth({ data: next.token });

  assert.deepEqual([connack.packet, connack.reasonCode], ["CONNACK", 0]);
  assert.equal(connack.properties?.["Authentication Method"], undefined);
  await assertEnded(client, told, protocolError);
});

test("a second new token within 5 s ends the connection with 0x96; the same token again does not", async (t) => {
  const client = await connected(t);
  const second = await client.mint(keyFile, { exp: 600 });
  const third = await client.mint(keyFile, { exp: 600 });

  const answer = await client.auth({ data: second.token });
  const again = await client.auth({ data: second.token });
  const told = await client.auth({ data: third.token });

  assert.deepEqual([answer.packet, answer.reasonCode], ["AUTH", 0]);
  assert.deepEqual([again.packet, again.reasonCode], ["AUTH", 0]);
  await assertEnded(client, told, messageRateTooHigh);
});

for (const { what, reasonCode, credentials } of [
  {
    what: "by a method the bridge does not know",
    reasonCode: badAuthenticationMethod,
    credentials: (token: string) => ({ method: "SCRAM-SHA-256", data: token }),
  },
  {
    what: "with the method and a Password",
    reasonCode: notAuthorized,
    credentials: (token: string) => ({ method, data: token, password: token }),
  },
  {
    what: "by the method without a token",
    reasonCode: notAuthorized,
    credentials: () => ({ method }),
  },
]) {
  test(`CONNECT ${what} is refused with ${hex(reasonCode)}`, async (t) => {
    const client = new Mqtt5Client(t, bridge, "sensor-1");
    const { token } = await client.mint(keyFile, { exp: 600 });

    const told = await client.connect(credentials(token));

    assert.deepEqual([told.packet, told.reasonCode], ["CONNACK", reasonCode]);
    assert.equal((await client.next()).packet, "closed");
  });
}

test("tshark dissects a renewal, a refusal and what is between them, and marks nothing", async (t) => {
  const capture = await PacketCapture.start(t, bridge, "renewal");
  const client = await connected(t, capture.keyLogFile);
  const { token } = await client.mint(keyFile, { exp: 600 });
  await client.auth({ data: token });
  await client.publish("under the second token");
  await assertEnded(client, await client.auth({ data: token, method: null }), protocolError);

  await capture.end(1);

  const [types, authCodes, endCodes, names, texts] = await capture.values(
    "mqtt.msgtype",
    "mqtt.auth.reason_code",
    "mqtt.disconnect.reason_code",
    "mqtt.prop_key",
    "mqtt.prop_string",
  );
  // CONNECT, CONNACK, AUTH, AUTH, PUBLISH, PUBACK, AUTH, DISCONNECT (5.0 §2.1.2).
  assert.deepEqual(types, ["1", "2", "15", "15", "3", "4", "15", "14"]);
  assert.deepEqual(authCodes?.map(Number), [0x19, 0, 0x19]);
  assert.deepEqual(endCodes?.map(Number), [protocolError]);
  assert.deepEqual(names, [...tokenNames, ...tokenNames]);
  assert.equal(texts?.filter((text) => text === method).length, 4);
  assert.deepEqual(await capture.findFaults(), []);
});

test("tshark marks an AUTH whose properties end too soon, and the bridge ends its connection with 0x81", async (t) => {
  const capture = await PacketCapture.start(t, bridge, "malformed");
  const client = await connected(t, capture.keyLogFile);

  // The Authentication Method is said to have 16 octets, and the packet ends after one.
  const told = await client.raw(Uint8Array.of(0xf0, 0x06, 0x19, 0x04, 0x15, 0x00, 0x10, 0x6d));

  await assertEnded(client, told, malformedPacket);
  await capture.end(1);
  assert.notDeepEqual(await capture.findFaults(), []);
});

function hex(code: number): string {
  return `0x${code.toString(16).toUpperCase()}`;
}

test("mosquitto_pub connects by the method, without a Password, and what it publishes is delivered", async (t) => {
  requireService(t, "mosquitto_pub");
  const token = await bridge.mintToken("sensor-2", otherKeyFile);

  await execute("mosquitto_pub", [
    ...["-V", "5", "-h", "localhost", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca],
    ...["-i", clientIdentifier("sensor-2"), "-D", "connect", "authentication-method", method],
    ...["-D", "connect", "authentication-data", token],
    ...["-q", "1", "-t", "/devices/sensor-2/events", "-m", "from mosquitto"],
  ]);

  const texts = (await bridge.pull()).map(({ text }) => text);
  assert.ok(texts.includes("from mosquitto"));
});

test("MQTT.js connects by the method, is told so when its next token is accepted, and goes on publishing", async (t) => {
  const [token, next] = [
    await bridge.mintToken("sensor-2", otherKeyFile),
    await bridge.mintToken("sensor-2", otherKeyFile),
  ];
  const socket = connectTls({
    host: "localhost",
    port: bridge.port,
    ca: readFileSync(bridge.endpoints.ca),
    servername: "localhost",
  });
  const client = new MqttClient(() => socket, {
    protocolVersion: 5,
    clientId: clientIdentifier("sensor-2"),
    properties: { authenticationMethod: method, authenticationData: Buffer.from(token) },
    reconnectPeriod: 0,
  });
  t.after(() => client.end(true));
  await new Promise((resolve) => client.once("connect", resolve));
  const answer = new Promise<IAuthPacket>((resolve) => {
    client.handleAuth = (packet, callback) => {
      resolve(packet);
      callback();
    };
  });

  // It has no call that re-authenticates: mqtt-packet, its codec, writes the AUTH into its stream.
  writeToStream(
    {
      cmd: "auth",
      reasonCode: reauthenticate,
      properties: { authenticationMethod: method, authenticationData: Buffer.from(next) },
    },
    socket,
    { protocolVersion: 5 },
  );

  const { reasonCode, properties } = await answer;
  assert.equal(reasonCode, 0);
  assert.equal(properties?.authenticationMethod, method);
  await client.publishAsync("/devices/sensor-2/events", "after the renewal", { qos: 1 });
});
