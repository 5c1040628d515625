/**
 * Cloud IoT Core's contract, section 4, the MQTT bridge: row by row against a bridge process, by raw sockets where no
 * library would send it, and by mosquitto, MQTT.js and paho where firmware's ways are meant. What takes minutes runs in
 * virtual time. TLS is the matter of `section-4-tls.test.ts`.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { policyPresets } from "@mayfly/core/token";
import mqtt from "mqtt";
import { startSeconds, World } from "../../packages/server/test/bridge-world.ts";
import { requireService } from "../../tools/services.ts";
import { clientIdentifier } from "../process/bridge-process.ts";
import { pingreqPacket, pubackPacket } from "../process/raw-mqtt.ts";
import { ContractHouse, devicePath } from "./contract-house.ts";
import {
  attemptConnect,
  type ConnectFields,
  connectBytes,
  deliveryOf,
  publishBytes,
  RawDevice,
  subscribeBytes,
  unsubscribeBytes,
} from "./raw-device.ts";

const execute = promisify(execFile);
let house: ContractHouse;
let token: string;

before(async () => {
  house = await ContractHouse.start();
  token = house.token();
  await house.device("other");
});
after(() => house.end());

let devices = 0;
/** A device of its own for a test, so that no connection takes another one's place. */
async function newDevice(): Promise<string> {
  devices += 1;
  const id = `device-${devices}`;
  await house.device(id);
  return id;
}

async function connected(extra: Partial<ConnectFields> = {}): Promise<{ id: string; device: RawDevice }> {
  const id = await newDevice();
  return { id, device: await RawDevice.connect(house.bridge, id, token, extra) };
}

// ── 4.2 CONNECT ─────────────────────────────────────────────────────────────────────────────────────────────────────

for (const [what, userName] of [
  ["absent: Password Flag 1, User Name Flag 0", undefined],
  ["empty", ""],
  ["`unused`, as the samples send it", "unused"],
  ["any text", "ünbenutzt / 100 %"],
] as const) {
  test(`the User Name means nothing, be it ${what}`, async () => {
    const id = await newDevice();

    const answer = await attemptConnect(house.bridge, {
      clientIdentifier: clientIdentifier(id),
      ...(userName === undefined ? {} : { userName }),
      password: token,
    });

    assert.equal(answer, 0);
  });
}

for (const [what, fields] of [
  ["an empty Password", { userName: "unused", password: "" }],
  ["no Password", { userName: "unused" }],
  ["neither User Name nor Password", {}],
  ["a Password that is no token", { userName: "unused", password: "secret" }],
] as const) {
  test(`${what} is return code 5`, async () => {
    const id = await newDevice();

    const answer = await attemptConnect(house.bridge, { clientIdentifier: clientIdentifier(id), ...fields });

    assert.equal(answer, 5);
  });
}

for (const [what, fields] of [
  ["level 3 of MQTT 3.1, by its name MQIsdp", { protocolName: "MQIsdp", level: 3 }],
  ["level 3 under the name MQTT", { level: 3 }],
  ["level 6", { level: 6 }],
] as const) {
  test(`${what} is return code 1`, async () => {
    const id = await newDevice();
    const connect = { clientIdentifier: clientIdentifier(id), userName: "unused", password: token };

    const answer = await attemptConnect(house.bridge, { ...connect, ...fields });

    assert.equal(answer, 1);
  });
}

for (const [what, identifier] of [
  ["empty", () => ""],
  ["the device's id alone", () => "other"],
  ["with a leading slash", () => `/${clientIdentifier("other")}`],
  ["with a trailing slash", () => `${clientIdentifier("other")}/`],
  ["with its words in other case", () => clientIdentifier("other").replace("projects", "Projects")],
  ["with a segment too few", () => clientIdentifier("other").replace("/registries/plant", "")],
  ["with a device id that begins with a digit", () => clientIdentifier("1other")],
  ["with a device id of two characters", () => clientIdentifier("ab")],
  ["with a device id that holds a blank", () => clientIdentifier("an other")],
  ["with a device id of 256 characters", () => clientIdentifier("a".repeat(256))],
] as const) {
  test(`a Client Identifier that is no device's name, ${what}, is return code 2`, async () => {
    const answer = await attemptConnect(house.bridge, {
      clientIdentifier: identifier(),
      userName: "unused",
      password: token,
    });

    assert.equal(answer, 2);
  });
}

for (const [what, from, to] of [
  ["project", "projects/mayfly", "projects/elsewhere"],
  ["location", "us-central1", "europe-west1"],
  ["registry", "registries/plant", "registries/other"],
  ["device", "devices/other", "devices/nobody"],
  ["device id in other case", "devices/other", "devices/Other"],
  ["numId", "devices/other", "devices/2928540609735937"],
] as const) {
  test(`a wrong ${what} in the Client Identifier is return code 5`, async () => {
    const answer = await attemptConnect(house.bridge, {
      clientIdentifier: clientIdentifier("other").replace(from, to),
      userName: "unused",
      password: token,
    });

    assert.equal(answer, 5);
  });
}

test("every character an id may have is taken raw, in the Client Identifier and in topics", async () => {
  const id = "Sensor.1_a~b%2F-c";
  await house.device(id);
  const device = await RawDevice.connect(house.bridge, id, token);

  assert.equal(await device.ask(publishBytes(`/devices/${id}/events`, "raw")), "4: 0007");
  device.end();
});

test("a device whose id holds a plus sign has its numId in topics", async () => {
  const numId = await house.device("a+b");
  const device = await RawDevice.connect(house.bridge, "a+b", token);

  const puback = await device.ask(publishBytes(`/devices/${numId}/events`, "plus"));
  device.link.send(subscribeBytes([`/devices/${numId}/config`, 0]));
  await device.next();
  const config = await device.next();

  assert.equal(puback, "4: 0007");
  assert.ok(config !== "closed");
  assert.equal(deliveryOf(config, 0).topicName, `/devices/${numId}/config`);
  device.end();
});

test("the numId names the device in the Client Identifier and in topics", async () => {
  const id = "by-number";
  const numId = await house.device(id);
  const device = await RawDevice.connect(house.bridge, numId, token);

  const answers = [
    await device.ask(publishBytes(`/devices/${numId}/events`, "number")),
    await device.ask(publishBytes(`/devices/${id}/events`, "id")),
  ];
  device.link.send(subscribeBytes([`/devices/${numId}/config`, 0]));
  await device.next();
  const config = await device.next();

  assert.deepEqual(answers, ["4: 0007", "4: 0007"]);
  assert.ok(config !== "closed");
  assert.equal(deliveryOf(config, 0).topicName, `/devices/${numId}/config`);
  device.end();
});

test("Clean Session 0 is taken, Session Present is 0 and nothing is kept", async () => {
  const id = await newDevice();
  const fields = {
    clientIdentifier: clientIdentifier(id),
    userName: "unused",
    password: token,
    flags: 0,
  };
  const first = await RawDevice.open(house.bridge);
  const connacks = [await first.ask(connectBytes(fields))];
  await first.ask(subscribeBytes([`/devices/${id}/commands/#`, 1]));
  first.end();
  await first.link.cut;

  const second = await RawDevice.open(house.bridge);
  connacks.push(await second.ask(connectBytes(fields)));
  const command = await house.command(id, "anybody there?");

  assert.deepEqual(connacks, ["2: 0000", "2: 0000"]);
  assert.equal(command.status, 400);
  second.end();
});

for (const qos of [0, 1, 2]) {
  for (const retain of [false, true]) {
    test(`a Will of QoS ${qos} ${retain ? "with" : "without"} Will Retain is taken`, async () => {
      const id = await newDevice();

      const answer = await attemptConnect(house.bridge, {
        clientIdentifier: clientIdentifier(id),
        userName: "unused",
        password: token,
        will: { topic: `/devices/${id}/events`, payload: "gone" },
        flags: 0x02 | (qos << 3) | (retain ? 0x20 : 0),
      });

      assert.equal(answer, 0);
    });
  }
}

for (const [what, flags] of [
  ["Will QoS 1 without a Will", 0x0a],
  ["Will Retain without a Will", 0x22],
  ["the reserved flag", 0x03],
] as const) {
  test(`a CONNECT with ${what} is closed without an answer`, async () => {
    const id = await newDevice();
    const fields = { clientIdentifier: clientIdentifier(id), userName: "unused", password: token };

    const answer = await attemptConnect(house.bridge, { ...fields, flags });

    assert.equal(answer, "closed");
  });
}

test("a Will is never published, whatever ends the connection", async () => {
  const { id, device } = await connected({
    will: { topic: "/devices/never/events", payload: "gone" },
    flags: 0x0a,
  });
  device.end();
  await device.link.cut;
  const later = await RawDevice.connect(house.bridge, id, token);
  await later.ask(publishBytes(`/devices/${id}/events/will`, "alive"));
  later.end();

  const delivered = (await house.bridge.pull()).map(({ text }) => text);

  assert.ok(delivered.includes("alive"));
  assert.ok(!delivered.includes("gone"));
});

test("a second CONNECT is closed, with the reason on the device's page", async () => {
  const { id, device } = await connected();
  const fields = { clientIdentifier: clientIdentifier(id), userName: "unused", password: token };

  const answer = await device.ask(connectBytes(fields));

  assert.equal(answer, "closed");
  assert.equal(
    await house.errorStatus(id, 3),
    "3 mqtt: SERVER: The connection was closed because of a protocol error.",
  );
});

for (const [what, bytes] of [
  ["a PUBLISH", publishBytes("/devices/other/events", "early")],
  ["a SUBSCRIBE", subscribeBytes(["/devices/other/config", 1])],
  ["a PINGREQ", pingreqPacket],
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")],
] as const) {
  test(`${what} before CONNECT is closed without an answer`, async () => {
    const device = await RawDevice.open(house.bridge);

    assert.equal(await device.ask(bytes), "closed");
  });
}

test("the newer of two connections of a device wins, and the device's page says so", async () => {
  const { id, device: older } = await connected();

  const newer = await RawDevice.connect(house.bridge, id, token);
  const end = await older.next();

  assert.equal(end, "closed");
  assert.equal(await newer.ask(publishBytes(`/devices/${id}/events`, "mine")), "4: 0007");
  assert.equal(
    await house.errorStatus(id, 6),
    "6 mqtt: SERVER: The connection was closed because there is another active connection with the same device ID.",
  );
  newer.end();
});

test("a connection that breaks leaves IoT Core's words on the device's page, a DISCONNECT leaves none", async () => {
  const broken = await connected();
  const polite = await connected();

  broken.device.end();
  polite.device.link.send(Buffer.of(0xe0, 0));
  await polite.device.link.cut;

  assert.equal(
    await house.errorStatus(broken.id, 9),
    "9 mqtt: The connection broke or was closed by the client.",
  );
  assert.equal((await house.show(polite.id))["lastErrorStatus"], undefined);
});

// ── 4.3 Topics ──────────────────────────────────────────────────────────────────────────────────────────────────────

for (const suffix of ["events", "events/alerts", "events/alerts/high", "state"]) {
  test(`a PUBLISH to ${suffix} is acknowledged`, async () => {
    const { id, device } = await connected();

    assert.equal(await device.ask(publishBytes(`/devices/${id}/${suffix}`, "x")), "4: 0007");
    device.end();
  });
}

for (const [what, topicName, code] of [
  ["a topic that does not exist", "/devices/ID/telemetry", 3],
  ["no leading slash", "devices/ID/events", 3],
  ["a trailing slash", "/devices/ID/events/", 3],
  ["an empty level", "/devices/ID/events//a", 3],
  ["a subfolder of state", "/devices/ID/state/x", 3],
  ["the device alone", "/devices/ID", 3],
  ["one's own config", "/devices/ID/config", 3],
  ["one's own commands", "/devices/ID/commands", 3],
  ["a subfolder of one character", "/devices/ID/events/a", 3],
  ["a subfolder that begins with a digit", "/devices/ID/events/1st", 3],
  ["a subfolder of 257 bytes", `/devices/ID/events/${"a".repeat(257)}`, 3],
  ["$SYS", "$SYS/broker", 3],
  ["another device's events", "/devices/other/events", 7],
  ["another device's state", "/devices/other/state", 7],
  ["an attach by a device that is no gateway", "/devices/other/attach", 7],
  ["a detach by a device that is no gateway", "/devices/other/detach", 7],
] as const) {
  test(`a PUBLISH to an invalid topic, ${what}, is closed, with the reason on the device's page`, async () => {
    const { id, device } = await connected();

    const answer = await device.ask(publishBytes(topicName.replace("ID", id), "x"));

    const wanted = { 3: "a publish to an unknown topic", 7: "a topic the device may not use" }[code];
    assert.equal(answer, "closed");
    assert.equal(
      await house.errorStatus(id, code),
      `${code} mqtt: SERVER: The connection was closed because of ${wanted}.`,
    );
  });
}

for (const filter of [
  "/devices/ID/events",
  "/devices/ID/state",
  "/devices/ID/commands",
  "/devices/ID/commands/x",
  "/devices/ID/commands/+",
  "/devices/ID/commands/x/#",
  "/devices/ID/config/#",
  "/devices/ID/config/",
  "/devices/ID/errors",
  "/devices/ID/#",
  "/devices/+/config",
  "/devices/#",
  "#",
  "+",
  "$SYS/#",
  "devices/ID/config",
]) {
  test(`the filter ${filter} is refused in the SUBACK, and the connection lives on`, async () => {
    const { id, device } = await connected();

    const answers = [
      await device.ask(subscribeBytes([filter.replace("ID", id), 1])),
      await device.ask(pingreqPacket),
    ];

    assert.deepEqual(answers, ["9: 000980", "13: "]);
    device.end();
  });
}

for (const filter of ["/devices/other/config", "/devices/other/commands/#", "/devices/other/errors"]) {
  test(`the filter ${filter} of another device is closed`, async () => {
    const { device } = await connected();

    assert.equal(await device.ask(subscribeBytes([filter, 1])), "closed");
  });
}

test("filters of one SUBSCRIBE are answered one by one", async () => {
  const { id, device } = await connected();

  const answer = await device.ask(
    subscribeBytes([`/devices/${id}/config`, 2], ["#", 1], [`/devices/${id}/commands/#`, 0]),
  );

  assert.equal(answer, "9: 0009018000");
  device.end();
});

// ── 4.4 QoS and retain ──────────────────────────────────────────────────────────────────────────────────────────────

test("a PUBLISH of QoS 2 is closed, with the reason on the device's page", async () => {
  const { id, device } = await connected();

  const answer = await device.ask(publishBytes(`/devices/${id}/events`, "x", { qos: 2 }));

  assert.equal(answer, "closed");
  assert.equal(
    await house.errorStatus(id, 3),
    "3 mqtt: SERVER: The connection was closed because QoS 2 is not supported.",
  );
});

for (const [asked, granted] of [
  [0, 0],
  [1, 1],
  [2, 1],
] as const) {
  test(`a subscription for QoS ${asked} is granted ${granted}, and the config comes with that`, async () => {
    const { id, device } = await connected();
    await house.config(id, "hello");

    const suback = await device.ask(subscribeBytes([`/devices/${id}/config`, asked]));
    const config = await device.next();

    assert.equal(suback, `9: 00090${granted}`);
    assert.ok(config !== "closed");
    assert.deepEqual(deliveryOf(config, granted), { topicName: `/devices/${id}/config`, payload: "hello" });
    device.end();
  });
}

test("RETAIN on a PUBLISH is ignored: the message is stored like any other", async () => {
  const { id, device } = await connected();

  const answer = await device.ask(publishBytes(`/devices/${id}/events/retained`, "kept", { retain: true }));

  assert.equal(answer, "4: 0007");
  assert.deepEqual(
    (await house.bridge.pull()).filter(({ device }) => device === id).map(({ text }) => text),
    ["kept"],
  );
  device.end();
});

// ── 4.5 Config ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("the config is sent at every subscription, even an empty one, and again when subscribed to again", async () => {
  const { id, device } = await connected();
  const payloads: string[] = [];
  const subscribe = async () => {
    device.link.send(subscribeBytes([`/devices/${id}/config`, 0]));
    await device.next();
    const config = await device.next();
    payloads.push(config === "closed" ? "closed" : deliveryOf(config, 0).payload);
  };

  await subscribe();
  await subscribe();
  await device.ask(unsubscribeBytes(`/devices/${id}/config`));
  await subscribe();
  await house.config(id, "first");
  const changed = await device.next();
  await subscribe();

  assert.deepEqual(payloads, ["", "", "", "first"]);
  assert.equal(changed === "closed" ? "closed" : deliveryOf(changed, 0).payload, "first");
  device.end();
});

test("a config's PUBACK is its deviceAckTime, and a newer config waits for it and takes the place of those between", async () => {
  const { id, device } = await connected();
  device.link.send(subscribeBytes([`/devices/${id}/config`, 1]));
  await device.next();
  const first = await device.next();
  for (const text of ["one", "two", "three"]) {
    await house.config(id, text);
    // IoT Core takes one a second; so do we, where the registry says so.
    await new Promise((resolve) => setTimeout(resolve, 1_050));
  }

  assert.ok(first !== "closed");
  device.link.send(pubackPacket(first.body.readUInt16BE(2 + first.body.readUInt16BE(0))));
  const next = await device.next();
  assert.ok(next !== "closed");
  device.link.send(pubackPacket(next.body.readUInt16BE(2 + next.body.readUInt16BE(0))));
  await device.ask(pingreqPacket);

  assert.equal(deliveryOf(next, 1).payload, "three");
  const ackTime = await untilDefined(
    async () => ((await house.show(id))["config"] as { deviceAckTime?: string }).deviceAckTime,
  );
  assert.ok(Math.abs(Date.parse(ackTime) - Date.now()) < 5_000);
  device.end();
});

// ── 4.6 Commands ────────────────────────────────────────────────────────────────────────────────────────────────────

test("a command comes on commands, one with a subfolder below it, and its PUBACK is the sender's answer", async () => {
  const { id, device } = await connected();
  await device.ask(subscribeBytes([`/devices/${id}/commands/#`, 1]));

  const deliveries = [];
  const answers = [];
  for (const subfolder of [undefined, "valve/left"]) {
    const sending = house.command(id, "open", subfolder);
    const command = await device.next();
    assert.ok(command !== "closed");
    deliveries.push(deliveryOf(command, 1));
    device.link.send(pubackPacket(command.body.readUInt16BE(2 + command.body.readUInt16BE(0))));
    answers.push((await sending).status);
  }

  assert.deepEqual(deliveries, [
    { topicName: `/devices/${id}/commands`, payload: "open" },
    { topicName: `/devices/${id}/commands/valve/left`, payload: "open" },
  ]);
  assert.deepEqual(answers, [200, 200]);
  device.end();
});

test("for a subscription of QoS 0 no PUBACK of a command is awaited", async () => {
  const { id, device } = await connected();
  await device.ask(subscribeBytes([`/devices/${id}/commands/#`, 0]));

  const { status } = await house.command(id, "open");

  assert.equal(status, 200);
  device.end();
});

test("a command to a device that is not connected, or not subscribed, is FAILED_PRECONDITION in IoT Core's words", async () => {
  const { id, device } = await connected();

  const answers = [await house.command(id, "open"), await house.command("other", "open")];

  for (const { status, text } of answers) {
    assert.equal(status, 400);
    assert.match(text, /"FAILED_PRECONDITION"/);
    assert.match(text, /is not subscribed to the commands topic/);
  }
  device.end();
});

// ── 4.7 State, 4.8 Keep Alive ───────────────────────────────────────────────────────────────────────────────────────

test("a state is the device's latest and in its history, newest first", async () => {
  const { id, device } = await connected();
  await device.ask(publishBytes(`/devices/${id}/state`, "cold"));
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  await device.ask(publishBytes(`/devices/${id}/state`, "warm"));

  const { deviceStates } = await house.must("GET", `${devicePath(id)}/states`);

  const states = deviceStates as readonly { readonly binaryData: string }[];
  assert.deepEqual(
    states.map(({ binaryData }) => Buffer.from(binaryData, "base64").toString()),
    ["warm", "cold"],
  );
  device.end();
});

test("a PINGREQ is answered and is the device's lastHeartbeatTime", async () => {
  const { id, device } = await connected();

  const answer = await device.ask(pingreqPacket);

  assert.equal(answer, "13: ");
  const heartbeat = await untilDefined(
    async () => (await house.show(id))["lastHeartbeatTime"] as string | undefined,
  );
  assert.ok(Math.abs(Date.parse(heartbeat) - Date.now()) < 5_000);
  device.end();
});

const iotCore = policyPresets["iot-core"];

test("a client silent for one and a half of its Keep Alive is closed, in IoT Core's words", async () => {
  const world = await World.create({ policy: iotCore });
  const client = world.connect(4, { keepAlive: 60 });

  await world.time.advance(89_999);
  const before = client.isClosed;
  await world.time.advance(2);

  const { activity } = (await world.store.findDevice(world.device())) ?? {};
  assert.deepEqual([before, client.isClosed], [false, true]);
  assert.equal(
    activity?.errorMessage,
    "mqtt: SERVER: The connection was closed because MQTT keep-alive check failed.",
  );
});

for (const keepAlive of [0, 1201, 65_535]) {
  test(`20 min of silence end a connection whose Keep Alive is ${keepAlive}`, async () => {
    const world = await World.create({ policy: iotCore });
    const client = world.connect(4, { keepAlive });

    await world.time.advance(1_199_999);
    const before = client.isClosed;
    await world.time.advance(2);

    assert.deepEqual([before, client.isClosed], [false, true]);
  });
}

test("a connection that is used and whose token still holds is closed after 24 h", async () => {
  const world = await World.create({ policy: iotCore });
  const exp = startSeconds + 86_400 + 600;
  const client = world.connect(4, { token: world.key.token({ exp }), keepAlive: 0 });
  for (let minute = 0; minute < 24 * 60 - 10; minute += 10) {
    await world.time.advance(600_000);
    client.send({ type: "pingreq" });
  }

  await world.time.advance(599_999);
  const before = client.isClosed;
  await world.time.advance(2);

  assert.deepEqual([before, client.isClosed], [false, true]);
  assert.equal(world.diary.lines.at(-1), "disconnected fern connection_maximum");
});

test("20 min and 24 h are the registry's to change", async () => {
  const idle = await World.create({ policy: { ...iotCore, idleMaxSeconds: 30 } });
  const short = await World.create({ policy: { ...iotCore, connectionMaxSeconds: 60 } });
  const clients = [idle.connect(4, { keepAlive: 0 }), short.connect(4, { keepAlive: 0 })];

  await idle.time.advance(30_001);
  await short.time.advance(60_001);

  assert.deepEqual(
    clients.map(({ isClosed }) => isClosed),
    [true, true],
  );
});

test("a server that is taken down says so in IoT Core's words", async () => {
  const world = await World.create({ policy: iotCore });
  const client = world.connect(4);

  world.bridge.drain();
  await world.time.advance(20_000);

  const { activity } = (await world.store.findDevice(world.device())) ?? {};
  assert.equal(client.isClosed, true);
  assert.equal(
    activity?.errorMessage,
    "mqtt: SERVER: The connection is closed because the server is shutting down.",
  );
});

// ── 4.10 Malformed packets ──────────────────────────────────────────────────────────────────────────────────────────

for (const [what, bytes] of [
  ["a packet type that does not exist", Buffer.of(0x00, 0x00)],
  ["flags that SUBSCRIBE must not have", Buffer.of(0x80, 0x00)],
  ["a length of five bytes", Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01)],
  ["a PUBLISH of QoS 3", Buffer.from("360500017400017a", "hex")],
  ["a PUBLISH to a topic with a wildcard", publishBytes("/devices/+/events", "x")],
  ["a SUBSCRIBE of nothing", Buffer.from("82020009", "hex")],
  ["a SUBSCRIBE for QoS 3", subscribeBytes(["/devices/other/config", 3])],
] as const) {
  test(`a malformed packet, ${what}, is closed`, async () => {
    const { device } = await connected();

    assert.equal(await device.ask(bytes), "closed");
  });
}

// ── Clients we did not write ────────────────────────────────────────────────────────────────────────────────────────

test("mosquitto_pub publishes with every User Name but the one that it refuses to send", async (t) => {
  requireService(t, "mosquitto_pub");
  const id = await newDevice();
  const flags = [
    ...["-h", "localhost", "-p", String(house.bridge.port), "--cafile", house.bridge.endpoints.ca],
    ...["-i", clientIdentifier(id), "-P", token, "-q", "1", "-V", "mqttv311"],
    ...["-t", `/devices/${id}/events/mosquitto`, "--will-topic", `/devices/${id}/events`],
  ];

  await execute("mosquitto_pub", [...flags, "-u", "unused", "-m", "unused"]);
  await execute("mosquitto_pub", [...flags, "-u", "", "-m", "empty", "-r"]);

  const delivered = (await house.bridge.pull()).filter(({ device }) => device === id);
  assert.deepEqual(
    delivered.map(({ text }) => text),
    ["unused", "empty"],
  );
});

test("mosquitto_pub is told return code 5 for a token that is refused", async (t) => {
  requireService(t, "mosquitto_pub");
  const id = await newDevice();
  const attempt = execute("mosquitto_pub", [
    ...["-h", "localhost", "-p", String(house.bridge.port), "--cafile", house.bridge.endpoints.ca],
    ...["-i", clientIdentifier(id), "-u", "unused", "-P", house.token({ key: "stranger" })],
    ...["-t", `/devices/${id}/events`, "-m", "x", "-V", "mqttv311"],
  ]);

  await assert.rejects(attempt, (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 5);
    return /not authori[sz]ed/i.test(error.stderr);
  });
});

test("mosquitto_sub is sent the empty config as soon as it subscribes for QoS 2", async (t) => {
  requireService(t, "mosquitto_sub");
  const id = await newDevice();
  const subscriber = spawn("mosquitto_sub", [
    ...["-h", "localhost", "-p", String(house.bridge.port), "--cafile", house.bridge.endpoints.ca],
    ...["-i", clientIdentifier(id), "-u", "unused", "-P", token, "-V", "mqttv311"],
    ...["-t", `/devices/${id}/config`, "-q", "2", "-C", "1", "-F", "%t %q %r [%p]"],
  ]);
  t.after(() => subscriber.kill());
  let printed = "";
  subscriber.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });

  await once(subscriber, "close");

  assert.equal(printed, `/devices/${id}/config 1 0 []\n`);
});

test("MQTT.js keeps Clean Session 0, subscribes for QoS 2 and hears the config and a command", async () => {
  const id = await newDevice();
  await house.config(id, "for MQTT.js");
  const client = await mqtt.connectAsync(`mqtts://localhost:${house.bridge.port}`, {
    ...{ protocolVersion: 4, clean: false, reconnectPeriod: 0, clientId: clientIdentifier(id) },
    ...{ username: "unused", password: token, ca: readFileSync(house.bridge.endpoints.ca) },
  });
  const heard: string[] = [];
  client.on("message", (topic, payload) => heard.push(`${topic} ${payload.toString()}`));

  const granted = await client.subscribeAsync({
    [`/devices/${id}/config`]: { qos: 2 },
    [`/devices/${id}/commands/#`]: { qos: 0 },
  });
  const { status } = await house.command(id, "open", "valve");
  await client.endAsync();

  assert.deepEqual(
    granted.map(({ qos }) => qos),
    [1, 0],
  );
  assert.equal(status, 200);
  assert.deepEqual(heard, [`/devices/${id}/config for MQTT.js`, `/devices/${id}/commands/valve open`]);
});

test("paho-python sets a Will, publishes an event and a state, and hears the config", async (t) => {
  requireService(t, "paho");
  const id = await newDevice();
  await house.config(id, "for paho");
  const script = `
import sys, ssl, threading
import paho.mqtt.client as paho
port, ca, client_id, token, device = sys.argv[1:6]
heard = threading.Event()
client = paho.Client(client_id=client_id)
client.tls_set(ca_certs=ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.username_pw_set(username="unused", password=token)
client.will_set("/devices/" + device + "/events", "gone", qos=1)
def on_connect(client, data, flags, code):
    print("connected", code, flags["session present"])
    client.subscribe("/devices/" + device + "/config", qos=1)
def on_message(client, data, message):
    print(message.topic, message.payload.decode(), message.qos)
    heard.set()
client.on_connect, client.on_message = on_connect, on_message
client.connect("localhost", int(port), 60)
client.loop_start()
assert heard.wait(10)
for topic in ("events/paho", "state"):
    message = client.publish("/devices/" + device + "/" + topic, "from paho", qos=1)
    message.wait_for_publish(10)
    print(topic, message.is_published())
client.disconnect()
client.loop_stop()
`;

  const { stdout } = await execute("/usr/bin/python3", [
    ...["-c", script, String(house.bridge.port), house.bridge.endpoints.ca],
    ...[clientIdentifier(id), token, id],
  ]);

  assert.deepEqual(stdout.trim().split("\n"), [
    "connected 0 0",
    `/devices/${id}/config for paho 1`,
    "events/paho True",
    "state True",
  ]);
});

/** Asks again until there is an answer: what a session tells the registry is written a moment later. 3 s at most. */
async function untilDefined<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const until = performance.now() + 3_000;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    assert.ok(performance.now() < until, "no answer came");
  }
}
