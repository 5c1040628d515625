/**
 * The checklist of what a drop-in for Cloud IoT Core needs, its MQTT half: one test a row, by the row's own words, on
 * one bridge with one device's firmware in mind. The rows of the contract behind each stand in the section tests.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { policyPresets } from "@mayfly/core/token";
import { startSeconds, World } from "../../packages/server/test/bridge-world.ts";
import { requireService } from "../../tools/services.ts";
import { clientIdentifier } from "../process/bridge-process.ts";
import { ContractHouse, nowSeconds } from "./contract-house.ts";
import { attemptConnect, deliveryOf, RawDevice, subscribeBytes } from "./raw-device.ts";

const execute = promisify(execFile);
const hour = 3600;
let house: ContractHouse;

before(async () => {
  // Port 443 is the system's to give: a free one stands for it.
  house = await ContractHouse.start("--mqtt-listen", "0");
});
after(() => house.end());

function attempt(id: string, token: string): Promise<number | "closed"> {
  const fields = { clientIdentifier: clientIdentifier(id), userName: "unused", password: token };
  return attemptConnect(house.bridge, fields);
}

test("checklist 1: MQTT 3.1.1 over TLS on 8883 and 443, certificate for the host even without SNI; small EC chain", async (t) => {
  requireService(t, "mosquitto_pub");
  const { mqtts, mqttsFurther, ca } = house.bridge.endpoints;

  const seen = [];
  for (const [index, address] of [mqtts, ...mqttsFurther].entries()) {
    const port = address.slice(address.lastIndexOf(":") + 1);
    const { stdout } = await execute("sh", [
      "-c",
      'echo Q | openssl s_client -connect "localhost:$0" -noservername -verify_hostname localhost -CAfile "$1" 2>&1',
      ...[port, ca],
    ]);
    await house.device(`port-${index}`);
    await execute("mosquitto_pub", [
      ...["-h", "localhost", "-p", port, "--cafile", ca, "-V", "mqttv311", "-q", "1", "-m", address],
      ...["-i", clientIdentifier(`port-${index}`), "-u", "unused", "-P", house.token()],
      ...["-t", `/devices/port-${index}/events`],
    ]);
    seen.push([/Verification: (\w+)/.exec(stdout)?.[1], /a:PKEY: ([\w-]+, \d+)/.exec(stdout)?.[1]]);
  }

  assert.deepEqual(seen, [
    ["OK", "id-ecPublicKey, 256"],
    ["OK", "id-ecPublicKey, 256"],
  ]);
  assert.deepEqual(
    (await house.bridge.pull()).map(({ text }) => text).toSorted(),
    [mqtts, ...mqttsFurther].toSorted(),
  );
});

test("checklist 2: CONNACK 5 for every auth failure", async () => {
  await house.device("locked", ["ec"], { blocked: true });
  await house.device("open");
  const now = nowSeconds();

  const answers = [
    await attempt("locked", house.token()),
    await attempt("nobody", house.token()),
    await attempt("open", ""),
    await attempt("open", "no.token.atall"),
    await attempt("open", house.token({ key: "stranger" })),
    await attempt("open", house.token({ key: "rsa" })),
    await attempt("open", house.token({ claims: { aud: "elsewhere" } })),
    await attempt("open", house.token({ claims: { iat: now - 2 * hour, exp: now - hour } })),
    await attempt("open", house.token({ claims: { iat: now + hour, exp: now + 2 * hour } })),
    await attempt("open", house.token({ claims: { exp: now + 26 * hour } })),
  ];

  assert.deepEqual(
    answers,
    answers.map(() => 5),
  );
});

test("checklist 2: takeover", async () => {
  await house.device("twice");
  const older = await RawDevice.connect(house.bridge, "twice", house.token());

  const newer = await RawDevice.connect(house.bridge, "twice", house.token());

  assert.equal(await older.next(), "closed");
  assert.match(
    await house.errorStatus("twice", 6),
    /there is another active connection with the same device ID/,
  );
  newer.end();
});

test("checklist 2: close at exp + 10 min (a few seconds later)", async () => {
  const world = await World.create({ policy: policyPresets["iot-core"] });
  const client = world.connect(4, { token: world.key.token({ exp: startSeconds + 1_200 }), keepAlive: 0 });
  await world.time.advance(1_000_000);
  client.send({ type: "pingreq" });

  await world.time.advance(799_000);
  const before = client.isClosed;
  await world.time.advance(5_000);

  assert.deepEqual([before, client.isClosed], [false, true]);
});

test("checklist 3: JWT leniency: padded and standard-alphabet base64 segments, `iat`/`exp` as strings; try all live keys; strict `aud`, 24 h, 10 min", async () => {
  await house.device("lenient", ["rsa", "ec2", "ec"]);
  const now = nowSeconds();

  const taken = [
    house.token({ form: "padded" }),
    house.token({ form: "standard", claims: { jti: "???>>>~~~" } }),
    house.token({ claims: { iat: String(now), exp: String(now + hour) } }),
    ...(["ec", "ec2", "rsa"] as const).map((key) => house.token({ key })),
    house.token({ claims: { iat: now + 590, exp: now + hour } }),
    house.token({ claims: { iat: now - hour, exp: now - 560 } }),
    house.token({ claims: { iat: now, exp: now + 24 * hour } }),
  ];
  const refused = [
    house.token({ claims: { aud: ["mayfly"] } }),
    house.token({ claims: { iat: now + 660, exp: now + hour } }),
    house.token({ claims: { iat: now - hour, exp: now - 601 } }),
    house.token({ claims: { iat: now, exp: now + 24 * hour + 601 } }),
  ];

  const answers = [];
  // HTTP alone: nine connections of one device would be a fight for its place.
  for (const token of [...taken, ...refused])
    answers.push((await house.publishEvent("lenient", token)).status);

  assert.deepEqual(answers, [...taken.map(() => 200), ...refused.map(() => 403)]);
});

test("checklist 4: Config pushed on every subscribe, empty too; SUBACK 1 for requested 2", async (t) => {
  requireService(t, "mosquitto_sub");
  await house.device("configured");
  const device = await RawDevice.connect(house.bridge, "configured", house.token());
  const subscribe = subscribeBytes(["/devices/configured/config", 2]);

  const seen = [];
  for (let round = 0; round < 2; round += 1) {
    const suback = await device.ask(subscribe);
    const config = await device.next();
    assert.ok(config !== "closed");
    seen.push([suback, deliveryOf(config, 1).payload]);
    device.link.send(Buffer.of(0x40, 2, ...config.body.subarray(28, 30)));
  }
  device.link.send(Buffer.of(0xe0, 0));
  await device.link.cut;
  await house.config("configured", "full");
  const subscriber = spawn("mosquitto_sub", [
    ...["-h", "localhost", "-p", String(house.bridge.port), "--cafile", house.bridge.endpoints.ca],
    ...["-i", clientIdentifier("configured"), "-u", "unused", "-P", house.token(), "-V", "mqttv311"],
    ...["-t", "/devices/configured/config", "-q", "2", "-C", "1", "-F", "%q %p"],
  ]);
  t.after(() => subscriber.kill());
  let printed = "";
  subscriber.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await once(subscriber, "close");

  assert.deepEqual(seen, [
    ["9: 000901", ""],
    ["9: 000901", ""],
  ]);
  assert.equal(printed, "1 full\n");
});
