import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import type { LightMyRequestResponse } from "fastify";
import {
  type AdminHouse,
  credential,
  lab,
  openAdminHouse,
  startSeconds,
  timers,
} from "../../test/http/admin-house.ts";
import { createAdmission } from "../auth/admission.ts";
import { createNodeKeyVerifier } from "../host/node-key-verifier.ts";
import { DeviceRates } from "../telemetry/device-rates.ts";
import { createIntake } from "../telemetry/intake.ts";
import { createDeviceApi } from "./device-api.ts";

const devices = `${lab}/plant/devices`;
const pairs = {
  "gw-1": generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
  "dev-1": generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
} as const;
type Name = keyof typeof pairs;

interface GatewayHouse {
  readonly house: AdminHouse;
  /** Why requests were refused, as the operator hears it. */
  readonly refusals: readonly string[];
  /** @param as Whose path and token it is. */
  call(
    as: Name,
    method: "GET" | "POST",
    verb: string,
    body?: Readonly<Record<string, unknown>>,
  ): Promise<LightMyRequestResponse>;
}

/** Gateway gw-1 with a method; device dev-1, and dev-2 that no gateway has. */
async function openGatewayHouse(gatewayAuthMethod = "ASSOCIATION_ONLY", bound = true): Promise<GatewayHouse> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  await house.call("POST", devices, {
    id: "gw-1",
    credentials: [credential(pemOf(pairs["gw-1"].publicKey))],
    gatewayConfig: { gatewayType: "GATEWAY", gatewayAuthMethod },
  });
  await house.call("POST", devices, {
    id: "dev-1",
    credentials: [credential(pemOf(pairs["dev-1"].publicKey))],
  });
  await house.call("POST", devices, { id: "dev-2" });
  if (bound)
    await house.call("POST", `${lab}/plant:bindDeviceToGateway`, { gatewayId: "gw-1", deviceId: "dev-1" });
  await house.call("PUT", "/v1/projects/mayfly/subscriptions/sink-1", {
    registry: "projects/mayfly/locations/lab/registries/plant",
    from: "earliest",
  });
  const { clock, store, backbone } = house;
  const refusals: string[] = [];
  const api = createDeviceApi({
    admission: createAdmission({
      clock,
      registry: store,
      verifier: createNodeKeyVerifier(),
      observer: { verified: () => undefined, attempted: () => undefined, alarm: () => undefined },
    }),
    intake: createIntake({ clock, registry: store, backbone }),
    rates: new DeviceRates(clock),
    registry: store,
    clock,
    timers,
    observer: {
      requestAnswered: () => undefined,
      requestRefused: ({ because }) => refusals.push(because),
    },
    timeAnswerer: { answer: () => ({ kind: "refused", because: "delegation_missing" }) },
    onInternalError: (error) => house.internalErrors.push(error),
  });
  return {
    house,
    refusals,
    call: (as, method, verb, body) =>
      api.inject({
        method,
        url: `${devices}/${as}${verb}`,
        headers: { authorization: `Bearer ${mintToken(pairs[as].privateKey)}` },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      }),
  };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }) as string;
}

function mintToken(key: KeyObject): string {
  const claims = { aud: "mayfly", iat: startSeconds - 10, exp: startSeconds + 3_590 };
  const input = [{ alg: "ES256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

async function pull(house: AdminHouse) {
  const pulled = await house.call("POST", "/v1/projects/mayfly/subscriptions/sink-1:pull", {
    maxMessages: 10,
    returnImmediately: true,
  });
  return (pulled.body.receivedMessages ?? []).map(({ message }: { message: unknown }) => message);
}

const delegated = { gatewayInfo: { delegatedDeviceId: "dev-1" } };
const through = { gatewayInfo: { gatewayId: "gw-1" } };

/** [gateway's token, bound; not bound; device's token, bound; not bound] */
const table = {
  GATEWAY_AUTH_METHOD_UNSPECIFIED: Array(4).fill("method_unspecified"),
  ASSOCIATION_ONLY: ["200", "not_bound", "200", "not_bound"],
  DEVICE_AUTH_TOKEN_ONLY: ["token_missing", "token_missing", "200", "not_bound"],
  ASSOCIATION_AND_DEVICE_AUTH_TOKEN: ["token_missing", "not_bound", "200", "not_bound"],
} as const;

for (const [method, expected] of Object.entries(table)) {
  test(`over HTTP a gateway with ${method} speaks for whom the table says`, async () => {
    const said: string[] = [];
    for (const [as, info] of [
      ["gw-1", delegated],
      ["dev-1", through],
    ] as const) {
      for (const bound of [true, false]) {
        const { call, refusals } = await openGatewayHouse(method, bound);
        const { statusCode } = await call(as, "POST", ":publishEvent", { ...info, binaryData: "aGk=" });
        said.push(statusCode === 200 ? "200" : `${refusals.join()}`);
      }
    }

    assert.deepEqual(said, expected);
  });
}

for (const [sentence, as, info] of [
  ["with the gateway's token", "gw-1", delegated],
  ["with the device's token, in snake_case", "dev-1", { gateway_info: { gateway_id: "gw-1" } }],
] as const) {
  test(`an event on behalf of a device ${sentence} is the device's, and names the gateway`, async () => {
    const { house, call } = await openGatewayHouse();

    const answer = await call(as, "POST", ":publishEvent", {
      ...info,
      binaryData: "aGk=",
      subFolder: "alarm",
    });
    const [message] = await pull(house);
    const device = await house.call("GET", `${devices}/dev-1`);
    const gateway = await house.call("GET", `${devices}/gw-1`);

    assert.deepEqual([answer.statusCode, answer.body], [200, "{}\n"]);
    const { deviceId, deviceNumId, gatewayId, subFolder } = message.attributes;
    assert.deepEqual(
      { deviceId, deviceNumId, gatewayId, subFolder },
      { deviceId: "dev-1", deviceNumId: device.body.numId, gatewayId: "gw-1", subFolder: "alarm" },
    );
    assert.equal(device.body.lastEventTime, "2023-11-14T22:13:20.000Z");
    assert.deepEqual(device.body.gatewayConfig, {
      lastAccessedGatewayId: "gw-1",
      lastAccessedGatewayTime: "2023-11-14T22:13:20.000Z",
    });
    assert.equal(gateway.body.lastEventTime, undefined);
  });
}

test("a gateway's own event names no gateway, and an empty gatewayInfo says nothing", async () => {
  const { house, call } = await openGatewayHouse();

  const answers = [
    await call("gw-1", "POST", ":publishEvent", { binaryData: "aGk=" }),
    await call("gw-1", "POST", ":publishEvent", { gatewayInfo: {}, binaryData: "aGk=" }),
    await call("gw-1", "POST", ":publishEvent", {
      gatewayInfo: { delegatedDeviceId: "" },
      binaryData: "aGk=",
    }),
  ];
  const messages = await pull(house);

  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 200],
  );
  assert.equal(messages.length, 3);
  for (const { attributes } of messages)
    assert.deepEqual([attributes.deviceId, attributes.gatewayId], ["gw-1", undefined]);
});

test("a state on behalf of a device is the device's", async () => {
  const { house, call } = await openGatewayHouse();

  await call("gw-1", "POST", ":setState", { ...delegated, state: { binaryData: "b24=" } });
  const device = await house.call("GET", `${devices}/dev-1`);
  const gateway = await house.call("GET", `${devices}/gw-1`);

  assert.equal(device.body.state.binaryData, "b24=");
  assert.equal(gateway.body.state, undefined);
});

test("a config on behalf of a device is the device's, named in the query in either spelling", async () => {
  const { house, call } = await openGatewayHouse();
  await house.call("POST", `${devices}/dev-1:modifyCloudToDeviceConfig`, { binaryData: "ZGV2" });
  await house.call("POST", `${devices}/gw-1:modifyCloudToDeviceConfig`, { binaryData: "Z3c=" });
  const numId = (await house.call("GET", `${devices}/dev-1`)).body.numId;

  const answers = [
    await call("gw-1", "GET", "/config?gatewayInfo.delegatedDeviceId=dev-1"),
    await call("gw-1", "GET", `/config?gateway_info.delegated_device_id=${numId}&local_version=1`),
    await call("dev-1", "GET", "/config?gatewayInfo.gatewayId=gw-1"),
    await call("gw-1", "GET", "/config"),
  ];

  assert.deepEqual(
    answers.map((answer) => answer.json().binaryData),
    ["ZGV2", "ZGV2", "ZGV2", "Z3c="],
  );
});

test("numIds name device and gateway as well, and the message shows their ids", async () => {
  const { house, call } = await openGatewayHouse();
  const numIdOf = async (id: Name) => (await house.call("GET", `${devices}/${id}`)).body.numId;

  await call("gw-1", "POST", ":publishEvent", {
    gatewayInfo: { delegatedDeviceId: await numIdOf("dev-1") },
  });
  await call("dev-1", "POST", ":publishEvent", { gatewayInfo: { gatewayId: await numIdOf("gw-1") } });

  const attributes = (await pull(house)).map(
    ({ attributes: { deviceId, gatewayId } }: { attributes: Record<string, string> }) => [
      deviceId,
      gatewayId,
    ],
  );
  assert.deepEqual(attributes, [
    ["dev-1", "gw-1"],
    ["dev-1", "gw-1"],
  ]);
});

test("association alone passes over HTTP only where the registry allows it; a device's own token passes", async () => {
  const { house, call, refusals } = await openGatewayHouse();
  await house.call("PATCH", `/mayfly${lab}/plant`, { policy: { gatewayAssociationOnly: "refuse" } });

  const alone = await call("gw-1", "POST", ":publishEvent", delegated);
  const shown = await call("dev-1", "POST", ":publishEvent", through);

  assert.deepEqual([alone.statusCode, shown.statusCode], [400, 200]);
  assert.deepEqual(refusals, ["association_alone_refused"]);
});

test("a refusal looks the same whatever the reason, so that a gateway learns of no device it does not have", async () => {
  const { call, refusals, house } = await openGatewayHouse();
  const send = (delegatedDeviceId: string) =>
    call("gw-1", "POST", ":publishEvent", { gatewayInfo: { delegatedDeviceId } });

  const answers = [await send("dev-2"), await send("dev-9"), await send("no id at all"), await send("gw-1")];
  await house.call("PATCH", `${devices}/dev-1?updateMask=blocked`, { blocked: true });
  answers.push(await send("dev-1"));

  const [first] = answers;
  for (const answer of answers) assert.deepEqual([answer.statusCode, answer.body], [400, first?.body]);
  assert.equal(first?.json().error.message, "Precondition check failed.");
  assert.deepEqual(refusals, [
    "not_bound",
    "device_unknown",
    "device_unknown",
    "device_is_gateway",
    "device_blocked",
  ]);
  assert.deepEqual(await pull(house), []);
});

test("a device does not speak through what is no gateway, a blocked one, or none", async () => {
  const { call, refusals, house } = await openGatewayHouse();
  const send = (gatewayId: string) => call("dev-1", "POST", ":publishEvent", { gatewayInfo: { gatewayId } });

  await send("dev-2");
  await send("gw-9");
  await house.call("PATCH", `${devices}/gw-1?updateMask=blocked`, { blocked: true });
  await send("gw-1");

  assert.deepEqual(refusals, ["not_gateway", "gateway_unknown", "gateway_blocked"]);
  assert.deepEqual(await pull(house), []);
});

test("a plain device speaks for nobody", async () => {
  const { call, refusals } = await openGatewayHouse();

  const answer = await call("dev-1", "POST", ":publishEvent", {
    gatewayInfo: { delegatedDeviceId: "dev-2" },
  });

  assert.equal(answer.json().error.status, "FAILED_PRECONDITION");
  assert.deepEqual(refusals, ["not_gateway"]);
});

test("a binding that is undone ends it with the next request", async () => {
  const { call, house } = await openGatewayHouse();
  const before = await call("gw-1", "POST", ":publishEvent", delegated);
  await house.call("POST", `${lab}/plant:unbindDeviceFromGateway`, { gatewayId: "gw-1", deviceId: "dev-1" });

  const after = await call("gw-1", "POST", ":publishEvent", delegated);

  assert.deepEqual([before.statusCode, after.statusCode], [200, 400]);
});

test("a device's rate is its own, and not its gateway's", async () => {
  const { call } = await openGatewayHouse();
  const state = (info: object) => call("gw-1", "POST", ":setState", { ...info, state: { binaryData: "" } });

  const statuses = [
    (await state(delegated)).statusCode,
    (await state(delegated)).statusCode,
    (await state(delegated)).statusCode,
    (await state({})).statusCode,
  ];

  assert.deepEqual(statuses, [200, 200, 429, 200]);
});

test("a registry that cannot be read judges nobody, and says later", async () => {
  const { call, house, refusals } = await openGatewayHouse();
  const lookUp = house.store.lookUpAttachment;
  house.store.lookUpAttachment = (_device, _gateway, answer) => answer("unavailable");

  const answers = [
    await call("gw-1", "POST", ":publishEvent", delegated),
    await call("dev-1", "POST", ":publishEvent", through),
  ];
  house.store.lookUpAttachment = lookUp;

  for (const answer of answers) assert.equal(answer.json().error.status, "UNAVAILABLE");
  assert.deepEqual(refusals, ["registry_unavailable", "registry_unavailable"]);
});

for (const [sentence, method, verb, body] of [
  [
    "both at once",
    "POST",
    ":publishEvent",
    { gatewayInfo: { delegatedDeviceId: "dev-1", gatewayId: "gw-1" } },
  ],
  ["both at once in a query", "GET", "/config?gatewayInfo.gatewayId=a&gatewayInfo.delegatedDeviceId=b"],
  ["one of them twice", "GET", "/config?gatewayInfo.gatewayId=gw-1&gateway_info.gateway_id=gw-1"],
  ["a message in one parameter", "GET", "/config?gatewayInfo=%7B%22gatewayId%22%3A%22gw-1%22%7D"],
  ["text for the message", "POST", ":publishEvent", { gatewayInfo: "gw-1" }],
  ["a number for an id", "POST", ":publishEvent", { gatewayInfo: { gatewayId: 7 } }],
  ["an unknown member", "POST", ":publishEvent", { gatewayInfo: { gateway: "gw-1" } }],
] as const) {
  test(`a gatewayInfo with ${sentence} is INVALID_ARGUMENT`, async () => {
    const { call } = await openGatewayHouse();

    const answer = await call("dev-1", method, verb, body);

    assert.equal(answer.json().error?.status, "INVALID_ARGUMENT");
  });
}
