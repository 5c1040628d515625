/**
 * Cloud IoT Core's contract, section 3, the device's token: row by row, on both bridges where both apply, with tokens
 * that openssl signed, MQTT from raw sockets and HTTP from curl. What takes minutes runs in virtual time.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { policyPresets } from "@mayfly/core/token";
import { DeviceKey, fernPath, startSeconds, World } from "../../packages/server/test/bridge-world.ts";
import { clientIdentifier, project } from "../process/bridge-process.ts";
import { ContractHouse, devicePath, type KeyName, nowSeconds, type TokenOrder } from "./contract-house.ts";
import { attemptConnect, RawDevice } from "./raw-device.ts";

let house: ContractHouse;

before(async () => {
  house = await ContractHouse.start();
  await house.device("taken", ["ec", "rsa"]);
});
after(() => house.end());

let devices = 0;
/** A device of its own for a test, so that no connection takes another one's place. */
async function newDevice(
  keys: readonly KeyName[] = ["ec"],
  extra: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  devices += 1;
  const id = `device-${devices}`;
  await house.device(id, keys, extra);
  return id;
}

/** What both bridges say to a token: CONNACK's return code, and HTTP's status. */
async function verdictsOf(id: string, token: string): Promise<readonly [number | "closed", number]> {
  const mqtt = await attemptConnect(house.bridge, {
    clientIdentifier: clientIdentifier(id),
    userName: "unused",
    password: token,
  });
  const { status } = await house.publishEvent(id, token);
  return [mqtt, status];
}

const now = nowSeconds();
const hour = 3600;
const day = 86_400;

const taken: readonly (readonly [what: string, order: TokenOrder])[] = [
  ["ES256, as iot-device-sdk-embedded-c sends it", {}],
  ["RS256", { key: "rsa" }],
  ["no typ", { header: { alg: "ES256" } }],
  ["a kid that no key has", { header: { alg: "ES256", typ: "JWT", kid: "of-another-system" } }],
  ["iat and exp as digit strings", { claims: { iat: String(now), exp: String(now + hour) } }],
  ["padded base64url", { form: "padded", claims: { jti: "pad" } }],
  ["the standard alphabet with padding", { form: "standard", claims: { jti: "???>>>~~~" } }],
  ["a life of 24 h and 10 min", { claims: { iat: now, exp: now + day + 600 } }],
  ["an iat 9 min ahead", { claims: { iat: now + 540, exp: now + 540 + hour } }],
  ["an exp 9 min ago", { claims: { iat: now - hour, exp: now - 540 } }],
  ["an nbf in the future", { claims: { nbf: now + day } }],
  ["claims nobody knows, a jti among them", { claims: { jti: "1", scope: ["a", { b: 1 }], iss: "me" } }],
];

for (const [what, order] of taken) {
  test(`a token with ${what} is taken on both bridges`, async () => {
    const id = await newDevice(["ec", "rsa"]);

    const verdicts = await verdictsOf(id, house.token(order));

    assert.deepEqual(verdicts, [0, 200]);
  });
}

const refused: readonly (readonly [what: string, order: TokenOrder])[] = [
  ["alg none", { header: { alg: "none", typ: "JWT" } }],
  ["alg HS256", { header: { alg: "HS256", typ: "JWT" } }],
  ["an EC signature under RS256", { header: { alg: "RS256", typ: "JWT" } }],
  ["another typ", { header: { alg: "ES256", typ: "at+jwt" } }],
  ["no aud", { claims: { aud: undefined } }],
  ["an aud that is a list, be it of the project alone", { claims: { aud: [project] } }],
  ["the aud of another project", { claims: { aud: "elsewhere" } }],
  ["an aud in other case", { claims: { aud: project.toUpperCase() } }],
  ["a project number as aud", { claims: { aud: "123456789012" } }],
  ["no iat", { claims: { iat: undefined } }],
  ["no exp", { claims: { exp: undefined } }],
  ["an iat of 1970", { claims: { iat: 0, exp: hour } }],
  ["an iat 11 min ahead", { claims: { iat: now + 660 + 30, exp: now + 660 + hour } }],
  ["an exp 11 min ago", { claims: { iat: now - hour, exp: now - 660 } }],
  ["a life of 24 h and 11 min", { claims: { iat: now, exp: now + day + 660 } }],
  ["times as strings that are no digits", { claims: { iat: String(now), exp: `${now + hour}.0` } }],
  ["a sub that is another device", { claims: { sub: clientIdentifier("taken") } }],
  ["a signature in DER", { derSignature: true }],
  ["a key nobody registered", { key: "stranger" }],
];

for (const [what, order] of refused) {
  test(`a token with ${what} is return code 5, and 403`, async () => {
    const id = await newDevice(["ec", "rsa"]);

    const verdicts = await verdictsOf(id, house.token(order));

    assert.deepEqual(verdicts, [5, 403]);
  });
}

test("the standard alphabet was really in the token that was taken for it", () => {
  const token = house.token({ form: "standard", claims: { jti: "???>>>~~~" } });

  assert.match(token.split(".")[1] ?? "", /[+/]/);
  assert.match(house.token({ form: "padded", claims: { jti: "pad" } }), /=(\.|$)/);
});

test("each of a device's three keys is tried, whatever its place in the list", async () => {
  const id = await newDevice(["rsa", "ec2", "ec"]);

  const verdicts = [];
  for (const key of ["ec", "ec2", "rsa"] as const) verdicts.push(await verdictsOf(id, house.token({ key })));

  assert.deepEqual(verdicts, [
    [0, 200],
    [0, 200],
    [0, 200],
  ]);
});

test("a rotation by adding the new key, switching and removing the old one locks nobody out", async () => {
  const id = await newDevice(["ec"]);
  const patch = (...keys: readonly ("ec" | "ec2")[]) =>
    house.must("PATCH", `${devicePath(id)}?updateMask=credentials`, {
      credentials: keys.map((key) => house.credential(key)),
    });

  const verdicts = [await verdictsOf(id, house.token())];
  await patch("ec", "ec2");
  verdicts.push(await verdictsOf(id, house.token()), await verdictsOf(id, house.token({ key: "ec2" })));
  await patch("ec2");
  verdicts.push(await verdictsOf(id, house.token({ key: "ec2" })), await verdictsOf(id, house.token()));

  assert.deepEqual(verdicts, [
    [0, 200],
    [0, 200],
    [0, 200],
    [0, 200],
    [5, 403],
  ]);
});

test("a credential past its expirationTime admits nobody, and the epoch means that it has none", async () => {
  const past = new Date(Date.now() - 60_000).toISOString();
  const expired = await newDevice([], { credentials: [house.credential("ec", past)] });
  const endless = await newDevice([], { credentials: [house.credential("ec", "1970-01-01T00:00:00Z")] });

  const verdicts = [await verdictsOf(expired, house.token()), await verdictsOf(endless, house.token())];

  assert.deepEqual(verdicts, [
    [5, 403],
    [0, 200],
  ]);
});

test("a blocked device, and one that does not exist, get what a wrong key gets", async () => {
  const blocked = await newDevice(["ec"], { blocked: true });

  const verdicts = [
    await verdictsOf(blocked, house.token()),
    await verdictsOf("nobody-there", house.token()),
    await verdictsOf("taken", house.token({ key: "stranger" })),
  ];
  const bodies = [
    await house.publishEvent(blocked, house.token()),
    await house.publishEvent("nobody-there", house.token()),
  ].map(({ text }) => text);

  assert.deepEqual(verdicts, [
    [5, 403],
    [5, 403],
    [5, 403],
  ]);
  assert.equal(bodies[0], bodies[1]);
});

test("blocking a device ends its live session, with the reason on its page", async () => {
  const id = await newDevice();
  const device = await RawDevice.connect(house.bridge, id, house.token());

  await house.must("PATCH", `${devicePath(id)}?updateMask=blocked`, { blocked: true });
  await device.link.cut;

  assert.equal(
    await house.errorStatus(id, 7),
    "7 mqtt: SERVER: The connection was closed because the device is blocked.",
  );
});

test("an X.509 credential is checked by its public key, and no client certificate is asked for", async () => {
  const id = await newDevice([], { credentials: [house.certificate("ec")] });

  assert.deepEqual(await verdictsOf(id, house.token()), [0, 200]);
});

test("a device certificate that has ended is treated as a credential past its expirationTime", async () => {
  const id = await newDevice([], { credentials: [house.certificate("ec", "ended")] });

  assert.deepEqual(await verdictsOf(id, house.token()), [5, 403]);
});

test("one token may be used again: there is no replay protection to trip over", async () => {
  const id = await newDevice();
  const token = house.token({ claims: { jti: "once" } });

  assert.deepEqual(await verdictsOf(id, token), [0, 200]);
  assert.deepEqual(await verdictsOf(id, token), [0, 200]);
});

const iotCore = policyPresets["iot-core"];

for (const minutes of [20, 60, 120]) {
  test(`a session of a ${minutes} min token is closed at ${minutes + 10} min, to the second, also when it is silent`, async () => {
    const world = await World.create({ policy: iotCore });
    const exp = startSeconds + minutes * 60;
    const client = world.connect(4, { token: world.key.token({ exp }), keepAlive: 0 });
    // Whoever only listens sends a PINGREQ now and then, and nothing else.
    for (let minute = 0; minute < minutes + 9; minute += 1) {
      await world.time.advance(60_000);
      client.send({ type: "pingreq" });
    }

    await world.time.advance(59_999);
    const before = client.isClosed;
    await world.time.advance(2);

    assert.deepEqual([before, client.isClosed], [false, true]);
    assert.equal(world.diary.lines.at(-1), "disconnected fern token_expired");
    const status = await world.store.findDevice(world.device());
    assert.equal(status?.activity.errorCode, 16);
    assert.equal(status?.activity.errorMessage, "mqtt: SERVER: The authorization token expired.");
  });
}

test("a token at the end of its 10 min is taken no more, so the shortest session is none", async () => {
  const world = await World.create({ policy: iotCore });
  const token = world.key.token({ iat: startSeconds - hour, exp: startSeconds - 600 });

  const client = world.connect(4, { token });

  assert.equal(client.of("connack")[0]?.reasonCode, 5);
});

test("a credential's expirationTime reached in a live session ends it", async () => {
  const world = await World.create({ policy: iotCore });
  const key = new DeviceKey("short", { expiresAtSeconds: startSeconds + 120 });
  await world.createDevice("moss", [key.record]);
  const client = world.connect(4, { clientIdentifier: fernPath.replace("fern", "moss"), token: key.token() });

  await world.time.advance(119_999);
  const before = client.isClosed;
  await world.time.advance(2);

  assert.deepEqual([before, client.isClosed], [false, true]);
  assert.equal(world.diary.lines.at(-1), "disconnected moss key_expired");
});
