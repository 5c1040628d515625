/**
 * Cloud IoT Core's contract, section 8, quotas and limits of a device: each at its bound and one above it, against a
 * bridge process. What is counted by time (messages, states and configs a second) has tests of its own.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { policyPresets } from "@mayfly/core/token";
import { clientIdentifier } from "../process/bridge-process.ts";
import { pingreqPacket } from "../process/raw-mqtt.ts";
import { ContractHouse, devicePath } from "./contract-house.ts";
import { attemptConnect, publishBytes, RawDevice, subscribeBytes } from "./raw-device.ts";

const connectionMax = 12;
let house: ContractHouse;
let token: string;

before(async () => {
  house = await ContractHouse.start("--connection-max", String(connectionMax));
  token = house.token();
});
after(() => house.end());

let devices = 0;
async function connected(): Promise<{ id: string; device: RawDevice }> {
  devices += 1;
  const id = `device-${devices}`;
  await house.device(id);
  return { id, device: await RawDevice.connect(house.bridge, id, token) };
}

const kib = 1024;
const base64Of = (bytes: number) => Buffer.alloc(bytes, "x").toString("base64");

for (const [topic, most] of [
  ["events", 256 * kib],
  ["state", 64 * kib],
] as const) {
  test(`${topic}: ${most / kib} KiB are taken over MQTT, a byte more is closed, with the reason on the device's page`, async () => {
    const { id, device } = await connected();
    const publish = (bytes: number) => publishBytes(`/devices/${id}/${topic}`, Buffer.alloc(bytes, "x"));

    const atMost = await device.ask(publish(most));
    // IoT Core takes one state a second; so do we, where the registry says so.
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const above = await device.ask(publish(most + 1));

    assert.deepEqual([atMost, above], ["4: 0007", "closed"]);
    assert.equal(
      await house.errorStatus(id, 3),
      "3 mqtt: SERVER: The connection was closed because a message was too large.",
    );
  });
}

for (const [what, call, body, most] of [
  ["an event", ":publishEvent", (bytes: number) => ({ binaryData: base64Of(bytes) }), 256 * kib],
  ["a state", ":setState", (bytes: number) => ({ state: { binaryData: base64Of(bytes) } }), 64 * kib],
] as const) {
  test(`${what} of ${most / kib} KiB is taken over HTTP, a byte more is 400`, async () => {
    const { id, device } = await connected();
    device.end();
    const url = `${house.bridge.endpoints.deviceHttps}/${devicePath(id)}${call}`;

    const atMost = await house.curl("POST", url, token, body(most));
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const above = await house.curl("POST", url, token, body(most + 1));

    assert.deepEqual([atMost.status, above.status], [200, 400]);
  });
}

for (const [what, call, most] of [
  ["a config", "modifyCloudToDeviceConfig", 64 * kib],
  ["a command", "sendCommandToDevice", 256 * kib],
] as const) {
  test(`${what} of ${most / kib} KiB reaches the device, a byte more is INVALID_ARGUMENT`, async () => {
    const { id, device } = await connected();
    device.link.send(subscribeBytes([`/devices/${id}/commands/#`, 0], [`/devices/${id}/config`, 0]));
    await device.next();
    await device.next();

    const atMost = await house.admin("POST", `${devicePath(id)}:${call}`, { binaryData: base64Of(most) });
    const came = await device.next();
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const above = await house.admin("POST", `${devicePath(id)}:${call}`, { binaryData: base64Of(most + 1) });

    assert.equal(atMost.status, 200, atMost.text);
    assert.ok(came !== "closed" && came.body.length > most);
    assert.equal(above.status, 400);
    assert.match(above.text, /"INVALID_ARGUMENT"/);
    device.end();
  });
}

test("a subfolder of 256 bytes is taken, one of 257 is closed", async () => {
  const { id, device } = await connected();
  const publish = (bytes: number) => publishBytes(`/devices/${id}/events/${"s".repeat(bytes)}`, "x");

  const answers = [await device.ask(publish(256)), await device.ask(publish(257))];

  assert.deepEqual(answers, ["4: 0007", "closed"]);
});

test("a device id of 3 and one of 255 characters connect", async () => {
  const answers = [];
  for (const id of ["abc", `a${"b".repeat(254)}`]) {
    await house.device(id);
    answers.push(
      await attemptConnect(house.bridge, {
        clientIdentifier: clientIdentifier(id),
        userName: "unused",
        password: token,
      }),
    );
  }

  assert.deepEqual(answers, [0, 0]);
});

test("a device has three credentials, a fourth is refused", async () => {
  const three = await house.admin("POST", devicePath("x").replace("/x", ""), {
    id: "three-keys",
    credentials: (["ec", "ec2", "rsa"] as const).map((name) => house.credential(name)),
  });
  const four = await house.admin("POST", devicePath("x").replace("/x", ""), {
    id: "four-keys",
    credentials: (["ec", "ec2", "rsa", "stranger"] as const).map((name) => house.credential(name)),
  });

  assert.equal(three.status, 200, three.text);
  assert.equal(four.status, 400);
});

test("a token of 8 KiB is taken, a longer one is return code 5 and 403", async () => {
  const id = "long-token";
  await house.device(id);
  const tokenOf = (length: number) => {
    const claims = (fill: number) => ({ fill: "x".repeat(fill) });
    const bare = house.token({ claims: claims(0) }).length;
    // Base64 turns three bytes into four characters.
    const guess = Math.floor(((length - bare) * 3) / 4);
    for (let fill = guess - 3; ; fill += 1) {
      const made = house.token({ claims: claims(fill) });
      if (made.length >= length) return made;
    }
  };
  const fields = { clientIdentifier: clientIdentifier(id), userName: "unused" };
  const [longest, tooLong] = [tokenOf(8191), tokenOf(8193)];

  const answers = [
    await attemptConnect(house.bridge, { ...fields, password: longest }),
    await attemptConnect(house.bridge, { ...fields, password: tooLong }),
    (await house.publishEvent(id, longest)).status,
    (await house.publishEvent(id, tooLong)).status,
  ];

  assert.ok(longest.length <= 8192 && tooLong.length > 8192 && tooLong.length < 8200);
  assert.deepEqual(answers, [0, 5, 200, 403]);
});

test("ten configs and ten states are kept, the newest", async () => {
  const { id, device } = await connected();
  device.end();
  // The rates of a second are not what this is about.
  await house.must("PATCH", `mayfly/${devicePath(id).replace(/\/devices\/.*/, "")}`, {
    policy: { statesPerSecond: 0, configsPerSecond: 0 },
  });
  const url = `${house.bridge.endpoints.deviceHttps}/${devicePath(id)}:setState`;
  for (let i = 1; i <= 11; i += 1) {
    const binaryData = Buffer.from(String(i)).toString("base64");
    await house.config(id, String(i));
    await house.curl("POST", url, token, { state: { binaryData } });
  }

  const { deviceConfigs } = await house.must("GET", `${devicePath(id)}/configVersions`);
  const { deviceStates } = await house.must("GET", `${devicePath(id)}/states`);

  const texts = (list: unknown) =>
    (list as readonly { readonly binaryData: string }[]).map(({ binaryData }) =>
      Number(Buffer.from(binaryData, "base64").toString()),
    );
  assert.deepEqual(texts(deviceConfigs), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
  assert.deepEqual(texts(deviceStates), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
});

test("a 21st message without its PUBACK is held, not refused: a client of 3.1.1 cannot know the window", async () => {
  const { id, device } = await connected();
  const messages = Array.from({ length: 60 }, () => publishBytes(`/devices/${id}/events/burst`, "x"));

  device.link.send(Buffer.concat(messages));
  const answers = [];
  while (answers.length < 60) {
    const answer = await device.next();
    answers.push(answer === "closed" ? "closed" : answer.type);
    if (answer === "closed") break;
  }

  assert.deepEqual(
    answers,
    Array.from({ length: 60 }, () => 4),
  );
  device.end();
});

test("a connection above the server's maximum is closed, and those that live are not disturbed", async () => {
  const { device: first } = await connected();
  const open: RawDevice[] = [];
  let refused = 0;
  for (let i = 0; i < connectionMax + 1; i += 1) {
    await RawDevice.open(house.bridge).then(
      (device) => open.push(device),
      () => {
        refused += 1;
      },
    );
  }

  const pingresp = await first.ask(pingreqPacket);

  assert.ok(refused >= 1 && open.length >= connectionMax - 4, `${refused} refused, ${open.length} open`);
  assert.equal(pingresp, "13: ");
  for (const device of [first, ...open]) device.end();
});

test("the preset has IoT Core's numbers of time: 24 h and 10 min for tokens, 20 min idle, 24 h for a connection", () => {
  const { skewSeconds, graceSeconds, lifetimeMaxSeconds, idleMaxSeconds, connectionMaxSeconds } =
    policyPresets["iot-core"];

  assert.deepEqual(
    { skewSeconds, graceSeconds, lifetimeMaxSeconds, idleMaxSeconds, connectionMaxSeconds },
    {
      ...{ skewSeconds: 600, graceSeconds: 600, lifetimeMaxSeconds: 87_000 },
      ...{ idleMaxSeconds: 1_200, connectionMaxSeconds: 86_400 },
    },
  );
});
