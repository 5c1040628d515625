import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdminHouse, lab, openAdminHouse, startSeconds } from "../../test/http/admin-house.ts";

const plant = `${lab}/plant`;
const devices = `${plant}/devices`;
const bind = `${plant}:bindDeviceToGateway`;
const unbind = `${plant}:unbindDeviceFromGateway`;

/** Gateways gw-1 and gw-2, devices dev-1 to dev-3. */
async function openPlant(): Promise<AdminHouse> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  for (const id of ["gw-1", "gw-2"]) {
    const gatewayConfig = { gatewayType: "GATEWAY", gatewayAuthMethod: "ASSOCIATION_ONLY" };
    await house.call("POST", devices, { id, gatewayConfig });
  }
  for (const id of ["dev-1", "dev-2", "dev-3"]) await house.call("POST", devices, { id });
  return house;
}

async function idsOf(house: AdminHouse, query: string): Promise<readonly string[]> {
  const { body } = await house.call("GET", `${devices}?${query}`);
  return (body.devices as readonly { id: string }[]).map(({ id }) => id);
}

async function numIdOf(house: AdminHouse, id: string): Promise<string> {
  return (await house.call("GET", `${devices}/${id}`)).body.numId;
}

test("a device is bound and unbound in either spelling, by id or numId, and {} is the answer", async () => {
  const house = await openPlant();

  const bound = await house.call("POST", bind, { gatewayId: "gw-1", deviceId: "dev-1" });
  const again = await house.call("POST", bind, {
    gateway_id: await numIdOf(house, "gw-1"),
    device_id: await numIdOf(house, "dev-1"),
  });
  const unbound = await house.call("POST", unbind, { gateway_id: "gw-1", deviceId: "dev-1" });

  for (const answer of [bound, again, unbound]) assert.deepEqual([answer.status, answer.body], [200, {}]);
  assert.deepEqual(await idsOf(house, "gatewayListOptions.associationsGatewayId=gw-1"), []);
});

test("lists show the devices of a gateway and the gateways of a device, by id or numId, in either spelling", async () => {
  const house = await openPlant();
  for (const [gatewayId, deviceId] of [
    ["gw-1", "dev-3"],
    ["gw-1", "dev-1"],
    ["gw-2", "dev-1"],
  ]) {
    await house.call("POST", bind, { gatewayId, deviceId });
  }
  const gateway = await numIdOf(house, "gw-1");

  const byId = await idsOf(house, "gatewayListOptions.associationsGatewayId=gw-1");
  const byNumId = await idsOf(house, `gateway_list_options.associations_gateway_id=${gateway}`);
  const gateways = await idsOf(house, "gatewayListOptions.associationsDeviceId=dev-1");
  const ofNone = await idsOf(house, "gatewayListOptions.associationsDeviceId=dev-2");

  assert.deepEqual(byId, ["dev-1", "dev-3"]);
  assert.deepEqual(byNumId, byId);
  assert.deepEqual(gateways, ["gw-1", "gw-2"]);
  assert.deepEqual(ofNone, []);
});

test("the devices of a gateway come page by page", async () => {
  const house = await openPlant();
  for (const deviceId of ["dev-1", "dev-2", "dev-3"]) {
    await house.call("POST", bind, { gatewayId: "gw-1", deviceId });
  }
  const query = "gatewayListOptions.associationsGatewayId=gw-1&pageSize=2";

  const first = await house.call("GET", `${devices}?${query}`);
  const second = await house.call("GET", `${devices}?${query}&pageToken=${first.body.nextPageToken}`);

  const ids = [...first.body.devices, ...second.body.devices].map(({ id }) => id);
  assert.deepEqual([first.body.devices.length, ids], [2, ["dev-1", "dev-2", "dev-3"]]);
  assert.equal(second.body.nextPageToken, undefined);
});

test("a gateway type is asked for by name or number, and a type of 0 asks for nothing", async () => {
  const house = await openPlant();

  const gateways = await idsOf(house, "gatewayListOptions.gatewayType=1");
  const others = await idsOf(house, "gatewayListOptions.gatewayType=NON_GATEWAY");
  const all = await idsOf(house, "gatewayListOptions.gatewayType=0");

  assert.deepEqual([gateways, others, all.length], [["gw-1", "gw-2"], ["dev-1", "dev-2", "dev-3"], 5]);
});

test("the last gateway that spoke for a device is shown with the device", async () => {
  const house = await openPlant();
  const device = { project: "mayfly", location: "lab", registry: "plant", device: "dev-1" };
  house.store.recordActivity({
    device,
    activity: { gatewayId: "gw-1", gatewayMs: startSeconds * 1000 },
  });

  const shown = await house.call("GET", `${devices}/dev-1`);
  const other = await house.call("GET", `${devices}/dev-2`);

  assert.deepEqual(shown.body.gatewayConfig, {
    lastAccessedGatewayId: "gw-1",
    lastAccessedGatewayTime: "2023-11-14T22:13:20.000Z",
  });
  assert.deepEqual(other.body.gatewayConfig, {});
});

test("a gateway's method is changed by its mask, and its type stays", async () => {
  const house = await openPlant();

  const patched = await house.call("PATCH", `${devices}/gw-1?updateMask=gateway_config.gateway_auth_method`, {
    gatewayConfig: { gatewayType: "NON_GATEWAY", gatewayAuthMethod: "DEVICE_AUTH_TOKEN_ONLY" },
  });

  assert.deepEqual(patched.body.gatewayConfig, {
    gatewayType: "GATEWAY",
    gatewayAuthMethod: "DEVICE_AUTH_TOKEN_ONLY",
  });
});

test("what is bound is deleted only when it is unbound", async () => {
  const house = await openPlant();
  await house.call("POST", bind, { gatewayId: "gw-1", deviceId: "dev-1" });

  const refused = [
    await house.call("DELETE", `${devices}/dev-1`),
    await house.call("DELETE", `${devices}/gw-1`),
  ];
  await house.call("POST", unbind, { gatewayId: "gw-1", deviceId: "dev-1" });
  const allowed = [
    await house.call("DELETE", `${devices}/dev-1`),
    await house.call("DELETE", `${devices}/gw-1`),
  ];

  for (const { status, body } of refused) {
    assert.deepEqual([status, body.error.status], [400, "FAILED_PRECONDITION"]);
    assert.match(body.error.message, /unbind first/);
  }
  assert.deepEqual(
    allowed.map(({ status }) => status),
    [200, 200],
  );
});

test("association alone is allowed and refused again by the registry's policy", async () => {
  const house = await openPlant();
  const path = `/mayfly${plant}`;

  const made = await house.call("GET", path);
  const refusing = await house.call("PATCH", path, { policy: { gatewayAssociationOnly: "refuse" } });
  const nonsense = await house.call("PATCH", path, { policy: { gatewayAssociationOnly: "perhaps" } });
  const strict = await house.call("PATCH", path, { policy: { preset: "strict" } });
  const byName = await house.call("PATCH", path, { policy: { gatewayAssociationOnly: "allow" } });

  const said = [made, refusing, strict, byName].map(({ body }) => body.policy.gatewayAssociationOnly);
  assert.deepEqual(said, ["allow", "refuse", "refuse", "allow"]);
  assert.equal(strict.body.policy.attachEndsDirectSession, false);
  assert.equal(nonsense.body.error.status, "INVALID_ARGUMENT");
});

for (const [sentence, method, url, body, status, says] of [
  ["a binding needs a gateway", "POST", bind, { deviceId: "dev-1" }, "INVALID_ARGUMENT", /gateway_id/],
  ["a binding needs a device", "POST", bind, { gatewayId: "gw-1" }, "INVALID_ARGUMENT", /device_id/],
  [
    "a malformed id is refused",
    "POST",
    bind,
    { gatewayId: "gw 1", deviceId: "dev-1" },
    "INVALID_ARGUMENT",
    /gw 1|id/,
  ],
  [
    "a gateway that is not there is NOT_FOUND",
    "POST",
    bind,
    { gatewayId: "gw-9", deviceId: "dev-1" },
    "NOT_FOUND",
    /gw-9/,
  ],
  [
    "a device that is not there is NOT_FOUND",
    "POST",
    bind,
    { gatewayId: "gw-1", deviceId: "dev-9" },
    "NOT_FOUND",
    /dev-9/,
  ],
  [
    "only a gateway has devices",
    "POST",
    bind,
    { gatewayId: "dev-2", deviceId: "dev-1" },
    "FAILED_PRECONDITION",
    /no gateway/,
  ],
  [
    "a gateway is bound to none",
    "POST",
    bind,
    { gatewayId: "gw-1", deviceId: "gw-2" },
    "FAILED_PRECONDITION",
    /is a gateway/,
  ],
  [
    "there are no groups to bind in",
    "POST",
    `${plant}/groups/any:bindDeviceToGateway`,
    { gatewayId: "gw-1", deviceId: "dev-1" },
    "NOT_FOUND",
    /./,
  ],
  [
    "what is not bound is not unbound",
    "POST",
    unbind,
    { gatewayId: "gw-1", deviceId: "dev-1" },
    "NOT_FOUND",
    /not bound/,
  ],
  [
    "of the gateway list options one may be set",
    "GET",
    `${devices}?gatewayListOptions.gatewayType=GATEWAY&gatewayListOptions.associationsDeviceId=dev-1`,
    undefined,
    "INVALID_ARGUMENT",
    /one may be set/,
  ],
  [
    "a list of the devices of a gateway that is not there is NOT_FOUND",
    "GET",
    `${devices}?gatewayListOptions.associationsGatewayId=gw-9`,
    undefined,
    "NOT_FOUND",
    /gw-9/,
  ],
  [
    "an unknown gateway type is refused",
    "GET",
    `${devices}?gatewayListOptions.gatewayType=7`,
    undefined,
    "INVALID_ARGUMENT",
    /gateway/,
  ],
] as const) {
  test(sentence, async () => {
    const house = await openPlant();

    const answer = await house.call(method, url, body);

    assert.equal(answer.body.error?.status, status);
    assert.match(answer.body.error.message, says);
  });
}

test("an eleventh gateway of a device is FAILED_PRECONDITION, and one unbound makes room", async () => {
  const house = await openPlant();
  const gatewayConfig = { gatewayType: "GATEWAY", gatewayAuthMethod: "ASSOCIATION_ONLY" };
  for (let n = 3; n <= 11; n++) await house.call("POST", devices, { id: `gw-${n}`, gatewayConfig });
  for (let n = 1; n <= 10; n++) await house.call("POST", bind, { gatewayId: `gw-${n}`, deviceId: "dev-1" });

  const refused = await house.call("POST", bind, { gatewayId: "gw-11", deviceId: "dev-1" });
  await house.call("POST", unbind, { gatewayId: "gw-1", deviceId: "dev-1" });
  const bound = await house.call("POST", bind, { gatewayId: "gw-11", deviceId: "dev-1" });

  assert.deepEqual([refused.status, refused.body.error.status], [400, "FAILED_PRECONDITION"]);
  assert.equal(bound.status, 200);
});

test("a gateway has 10,000 devices, and one more is FAILED_PRECONDITION", async () => {
  const house = await openPlant();
  const registryRef = { project: "mayfly", location: "lab", registry: "plant" };
  const model = { blocked: false, logLevel: "NONE", metadata: {}, keys: [] } as const;
  const kind = {
    gatewayType: "NON_GATEWAY",
    gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
  } as const;
  for (let n = 0; n < 10_000; n++) {
    await house.store.createDevice({ ...registryRef, deviceId: `leaf-${n}`, ...model, ...kind });
    await house.store.bindDevice(registryRef, "gw-1", `leaf-${n}`);
  }

  const refused = await house.call("POST", bind, { gatewayId: "gw-1", deviceId: "dev-1" });

  assert.deepEqual([refused.status, refused.body.error.status], [400, "FAILED_PRECONDITION"]);
});

test("a device made anew under the name of one that was bound is bound to nothing", async () => {
  const house = await openPlant();
  await house.call("POST", bind, { gatewayId: "gw-1", deviceId: "dev-1" });
  await house.call("POST", unbind, { gatewayId: "gw-1", deviceId: "dev-1" });
  await house.call("DELETE", `${devices}/dev-1`);

  await house.call("POST", devices, { id: "dev-1" });

  assert.deepEqual(await idsOf(house, "gatewayListOptions.associationsDeviceId=dev-1"), []);
});

test("what is bound is bound again without error, and once", async () => {
  const house = await openPlant();
  await house.call("POST", bind, { gatewayId: "gw-1", deviceId: "dev-1" });

  const again = await house.call("POST", bind, { gatewayId: "gw-1", deviceId: "dev-1" });
  const ids = await idsOf(house, "gatewayListOptions.associationsGatewayId=gw-1");
  const unbound = await house.call("POST", unbind, { gatewayId: "gw-1", deviceId: "dev-1" });

  assert.deepEqual([again.status, ids, unbound.status], [200, ["dev-1"], 200]);
});

test("the pages of a gateway's devices go by id, and a binding undone between two loses no other", async () => {
  const house = await openPlant();
  for (const deviceId of ["dev-3", "dev-1", "dev-2"])
    await house.call("POST", bind, { gatewayId: "gw-1", deviceId });
  const query = "gatewayListOptions.associationsGatewayId=gw-1&pageSize=1";

  const first = await house.call("GET", `${devices}?${query}`);
  await house.call("POST", unbind, { gatewayId: "gw-1", deviceId: "dev-1" });
  const token = encodeURIComponent(first.body.nextPageToken);
  const second = await idsOf(house, `${query}&pageToken=${token}`);

  assert.deepEqual([first.body.devices[0].id, second], ["dev-1", ["dev-2"]]);
});
