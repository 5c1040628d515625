import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AdminHouse,
  credential,
  lab,
  makePublicKey,
  openAdminHouse,
} from "../../test/http/admin-house.ts";

const devices = `${lab}/plant/devices`;
const pem = makePublicKey();
const otherPem = makePublicKey();

async function openPlant(): Promise<AdminHouse> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  return house;
}

test("a fresh device looks as Cloud IoT Core showed it", async () => {
  const house = await openPlant();

  const made = await house.call("POST", devices, {
    id: "sensor-1",
    credentials: [credential(pem)],
    metadata: {},
  });

  const { numId } = made.body;
  assert.match(numId, /^[1-9][0-9]*$/);
  assert.deepEqual(made.body, {
    id: "sensor-1",
    name: `projects/mayfly/locations/lab/registries/plant/devices/${numId}`,
    numId,
    credentials: [{ publicKey: { format: "ES256_PEM", key: pem }, expirationTime: "1970-01-01T00:00:00Z" }],
    config: { version: "1", cloudUpdateTime: "2023-11-14T22:13:20.000Z" },
    gatewayConfig: {},
  });
});

test("a device is found by its numId as by its id", async () => {
  const house = await openPlant();
  const made = await house.call("POST", devices, { id: "sensor-1" });

  const found = await house.call("GET", `${devices}/${made.body.numId}`);

  assert.deepEqual(found.body, made.body);
});

test("a client that echoes what it read changes nothing, the epoch included", async () => {
  const house = await openPlant();
  const made = await house.call("POST", devices, { id: "sensor-1", credentials: [credential(pem)] });

  const patched = await house.call(
    "PATCH",
    `${devices}/sensor-1?updateMask=credentials,blocked,metadata`,
    made.body,
  );

  assert.deepEqual(patched.body, made.body);
});

test("masked and absent clears the credentials; the key stays on record as retired and keeps its record when it returns", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1", credentials: [credential(pem)] });
  const before = await house.call("GET", `/mayfly${devices}/sensor-1/keys`);

  const cleared = await house.call("PATCH", `${devices}/sensor-1?updateMask=credentials`, { metadata: {} });
  const retired = await house.call("GET", `/mayfly${devices}/sensor-1/keys`);
  await house.call("PATCH", `${devices}/sensor-1?updateMask=credentials`, { credentials: [credential(pem)] });
  const returned = await house.call("GET", `/mayfly${devices}/sensor-1/keys`);

  assert.equal(cleared.body.credentials, undefined);
  assert.equal(retired.body.keys[0].state, "retired");
  assert.deepEqual(returned.body, before.body);
});

test("unmasked fields are ignored: gapic always sends metadata", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1", metadata: { site: "north" } });

  const patched = await house.call("PATCH", `${devices}/sensor-1?updateMask=blocked`, {
    blocked: true,
    metadata: {},
  });

  assert.equal(patched.body.blocked, true);
  assert.deepEqual(patched.body.metadata, { site: "north" });
});

test("an X.509 or raw key may expire, and its date comes back", async () => {
  const house = await openPlant();

  const made = await house.call("POST", devices, {
    id: "sensor-1",
    credentials: [credential(pem, "2030-01-02T03:04:05Z")],
  });

  assert.equal(made.body.credentials[0].expirationTime, "2030-01-02T03:04:05.000Z");
});

const privatePem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n";

for (const [sentence, method, url, body, status, code, message] of [
  [
    "a colon in an id is refused in Google's words",
    "POST",
    devices,
    { id: "a:b" },
    400,
    "INVALID_ARGUMENT",
    /^The format of 'device.id' is invalid:'a:b'$/,
  ],
  [
    "an id that begins with a digit is refused",
    "POST",
    devices,
    { id: "1abc" },
    400,
    "INVALID_ARGUMENT",
    /device.id/,
  ],
  [
    "a device in an unknown registry is NOT_FOUND",
    "POST",
    `${lab}/nothing/devices`,
    { id: "sensor-2" },
    404,
    "NOT_FOUND",
    /nothing/,
  ],
  [
    "a device that exists is ALREADY_EXISTS",
    "POST",
    devices,
    { id: "sensor-1" },
    409,
    "ALREADY_EXISTS",
    /sensor-1/,
  ],
  ["an unknown device is NOT_FOUND", "GET", `${devices}/sensor-9`, undefined, 404, "NOT_FOUND", /sensor-9/],
  ["an unknown numId is NOT_FOUND", "GET", `${devices}/12345`, undefined, 404, "NOT_FOUND", /12345/],
  [
    "four credentials are refused",
    "POST",
    devices,
    { id: "sensor-2", credentials: Array(4).fill(credential(pem)) },
    400,
    "INVALID_ARGUMENT",
    /at most 3/,
  ],
  [
    "one key twice is refused",
    "POST",
    devices,
    { id: "sensor-2", credentials: [credential(otherPem), credential(otherPem)] },
    400,
    "INVALID_ARGUMENT",
    /twice/,
  ],
  [
    "a credential without a format is refused",
    "POST",
    devices,
    { id: "sensor-2", credentials: [{ publicKey: { key: pem } }] },
    400,
    "INVALID_ARGUMENT",
    /format/,
  ],
  [
    "an EC key as RSA is refused in Google's words",
    "POST",
    devices,
    { id: "sensor-2", credentials: [{ publicKey: { format: "RSA_PEM", key: pem } }] },
    400,
    "INVALID_ARGUMENT",
    /^The key data for the device credential in position 0 is invalid. Make sure the format is correct: Invalid RS256 public key/,
  ],
  [
    "a private key is refused with a sentence",
    "POST",
    devices,
    { id: "sensor-2", credentials: [credential(privatePem)] },
    400,
    "INVALID_ARGUMENT",
    /private key/,
  ],
  [
    "an immutable field in the mask is refused",
    "PATCH",
    `${devices}/sensor-1?updateMask=num_id`,
    {},
    400,
    "INVALID_ARGUMENT",
    /num_id/,
  ],
  [
    "the config in the mask is refused",
    "PATCH",
    `${devices}/sensor-1?updateMask=config`,
    {},
    400,
    "INVALID_ARGUMENT",
    /config/,
  ],
  [
    "the gateway type in the mask is refused",
    "PATCH",
    `${devices}/sensor-1?updateMask=gateway_config.gateway_type`,
    {},
    400,
    "INVALID_ARGUMENT",
    /gateway_type/,
  ],
  [
    "another device's name in the body is refused",
    "PATCH",
    `${devices}/sensor-1?updateMask=blocked`,
    { name: "projects/mayfly/locations/lab/registries/plant/devices/1" },
    400,
    "INVALID_ARGUMENT",
    /name/,
  ],
  [
    "a number as metadata is refused",
    "POST",
    devices,
    { id: "sensor-2", metadata: { a: 1 } },
    400,
    "INVALID_ARGUMENT",
    /metadata/,
  ],
  [
    "a metadata key that begins with a digit is refused",
    "POST",
    devices,
    { id: "sensor-2", metadata: { "1a": "" } },
    400,
    "INVALID_ARGUMENT",
    /1a/,
  ],
  [
    "base64 that is none is refused in Google's words",
    "POST",
    `${devices}/sensor-1:modifyCloudToDeviceConfig`,
    { binaryData: "?" },
    400,
    "INVALID_ARGUMENT",
    /^Invalid value at 'binary_data' \(TYPE_BYTES\), Base64 decoding failed/,
  ],
  [
    "a config above 64 KiB is refused",
    "POST",
    `${devices}/sensor-1:modifyCloudToDeviceConfig`,
    { binaryData: "A".repeat(4 * 21_846) },
    400,
    "INVALID_ARGUMENT",
    /65536/,
  ],
  [
    "a version that is not the current one is FAILED_PRECONDITION",
    "POST",
    `${devices}/sensor-1:modifyCloudToDeviceConfig`,
    { versionToUpdate: "7" },
    400,
    "FAILED_PRECONDITION",
    /version/,
  ],
  [
    "a bad wildcard in a command's subfolder is refused",
    "POST",
    `${devices}/sensor-1:sendCommandToDevice`,
    { subfolder: "a/#" },
    400,
    "INVALID_ARGUMENT",
    /subfolder/,
  ],
  [
    "a command above 256 KiB is refused",
    "POST",
    `${devices}/sensor-1:sendCommandToDevice`,
    { binaryData: "A".repeat(4 * 87_382) },
    400,
    "INVALID_ARGUMENT",
    /262144/,
  ],
  ["a body that is no JSON is refused", "POST", devices, "{", 400, "INVALID_ARGUMENT", /JSON/],
  ["a body that is a list is refused", "POST", devices, [], 400, "INVALID_ARGUMENT", /object/],
  [
    "a member in both spellings is refused",
    "PATCH",
    `${devices}/sensor-1?updateMask=log_level`,
    { logLevel: 10, log_level: 10 },
    400,
    "INVALID_ARGUMENT",
    /both/,
  ],
] as const) {
  test(sentence, async () => {
    const house = await openPlant();
    await house.call("POST", devices, { id: "sensor-1" });

    const answer = await house.call(method, url, body);

    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.body.error.status, code);
    assert.match(answer.body.error.message, message);
    assert.ok(!answer.text.includes("MIGHAgEAMBMGByqGSM49"));
    assert.deepEqual(house.internalErrors, []);
  });
}

test("a metadata value of 32 KiB and 500 pairs are taken; one more of either is not", async () => {
  const house = await openPlant();
  const pairs = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));

  const answers = [
    await house.call("POST", devices, { id: "dev-1", metadata: { note: "x".repeat(32 * 1024) } }),
    await house.call("POST", devices, { id: "dev-2", metadata: { note: "x".repeat(32 * 1024 + 1) } }),
    await house.call("POST", devices, { id: "dev-3", metadata: pairs(500) }),
    await house.call("POST", devices, { id: "dev-4", metadata: pairs(501) }),
  ];

  assert.deepEqual(
    answers.map((answer) => answer.status),
    [200, 400, 200, 400],
  );
});

test("a list shows id, name, numId and gatewayConfig, and what the field mask adds", async () => {
  const house = await openPlant();
  const made = await house.call("POST", devices, { id: "sensor-1", metadata: { site: "north" } });
  const { id, name, numId } = made.body;

  const bare = await house.call("GET", devices);
  const masked = await house.call("GET", `${devices}?fieldMask=metadata,log_level`);

  assert.deepEqual(bare.body, { devices: [{ id, name, numId, gatewayConfig: {} }] });
  assert.deepEqual(masked.body, { devices: [{ id, name, numId, metadata: { site: "north" } }] });
});

test("a list is restricted by repeated deviceIds and deviceNumIds, and by gateway type as name or number", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "dev-1" });
  const second = await house.call("POST", devices, { id: "dev-2" });
  await house.call("POST", devices, {
    id: "gw-1",
    gatewayConfig: { gatewayType: "GATEWAY", gatewayAuthMethod: 1 },
  });

  const named = await house.call(
    "GET",
    `${devices}?deviceIds=dev-1&deviceIds=dev-9&deviceNumIds=${second.body.numId}`,
  );
  const gateways = await house.call(
    "GET",
    `${devices}?gatewayListOptions.gatewayType=1&$alt=json%3Benum-encoding=int`,
  );

  const ids = (page: typeof named) => page.body.devices.map((one: { id: string }) => one.id);
  assert.deepEqual([ids(named), ids(gateways)], [["dev-1", "dev-2"], ["gw-1"]]);
  assert.deepEqual(gateways.body.devices[0].gatewayConfig, {
    gatewayType: "GATEWAY",
    gatewayAuthMethod: "ASSOCIATION_ONLY",
  });
});

test("each config is one version on, and the list is newest first", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1", config: { binaryData: "AAEC" } });

  const modified = await house.call("POST", `${devices}/sensor-1:modifyCloudToDeviceConfig?alt=json`, {
    name: "projects/mayfly/locations/lab/registries/plant/devices/sensor-1",
    versionToUpdate: "1",
    binary_data: "_-8=",
  });
  const all = await house.call("GET", `${devices}/sensor-1/configVersions`);
  const one = await house.call("GET", `${devices}/sensor-1/configVersions?numVersions=1`);

  const [cloudUpdateTime] = ["2023-11-14T22:13:20.000Z"];
  assert.deepEqual(modified.body, { version: "2", cloudUpdateTime, binaryData: "/+8=" });
  assert.deepEqual(all.body.deviceConfigs, [
    modified.body,
    { version: "1", cloudUpdateTime, binaryData: "AAEC" },
  ]);
  assert.deepEqual(one.body.deviceConfigs, [modified.body]);
});

test("states are listed newest first, empty ones without binaryData", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1" });
  const ref = { project: "mayfly", location: "lab", registry: "plant", device: "sensor-1" };
  await house.store.appendState(ref, { updateMs: 1_000, binaryData: new Uint8Array([1]) });
  await house.store.appendState(ref, { updateMs: 2_000, binaryData: new Uint8Array() });

  const states = await house.call("GET", `${devices}/sensor-1/states`);
  const device = await house.call("GET", `${devices}/sensor-1`);

  assert.deepEqual(states.body.deviceStates, [
    { updateTime: "1970-01-01T00:00:02.000Z" },
    { updateTime: "1970-01-01T00:00:01.000Z", binaryData: "AQ==" },
  ]);
  assert.deepEqual(device.body.state, { updateTime: "1970-01-01T00:00:02.000Z" });
});

for (const [url, subfolder] of [
  ["sensor-1", undefined],
  ["sensor-1", ""],
  ["sensor-1", "alarm/on"],
] as const) {
  test(`a command with the subfolder ${JSON.stringify(subfolder)} reaches the bridge under the device's id`, async () => {
    const house = await openPlant();
    await house.call("POST", devices, { id: "sensor-1" });

    const sent = await house.call("POST", `${devices}/${url}:sendCommandToDevice`, {
      binaryData: "aGk=",
      subfolder,
    });

    assert.deepEqual([sent.status, sent.body], [200, {}]);
    assert.deepEqual(house.bridge.commands, [
      {
        device: { project: "mayfly", location: "lab", registry: "plant", device: "sensor-1" },
        payload: new Uint8Array([0x68, 0x69]),
        subfolder: subfolder ?? "",
      },
    ]);
  });
}

for (const [outcome, status, code] of [
  ["not_connected", 400, "FAILED_PRECONDITION"],
  ["not_subscribed", 400, "FAILED_PRECONDITION"],
  ["too_many", 429, "RESOURCE_EXHAUSTED"],
  ["too_large", 400, "INVALID_ARGUMENT"],
  ["timed_out", 504, "DEADLINE_EXCEEDED"],
  ["refused_by_device", 409, "ABORTED"],
  ["connection_lost", 503, "UNAVAILABLE"],
] as const) {
  test(`a command that ends ${outcome} is ${code}`, async () => {
    const house = await openPlant();
    await house.call("POST", devices, { id: "sensor-1" });
    house.bridge.outcome = outcome;

    const sent = await house.call("POST", `${devices}/sensor-1:sendCommandToDevice`, { binaryData: "aGk=" });

    assert.deepEqual([sent.status, sent.body.error.status], [status, code]);
    if (code === "FAILED_PRECONDITION")
      assert.match(sent.body.error.message, /is not subscribed to the commands topic/);
  });
}

test("a deleted device is gone", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1" });

  const deleted = await house.call("DELETE", `${devices}/sensor-1`, undefined, {
    headers: { "content-type": "application/json" },
  });
  const found = await house.call("GET", `${devices}/sensor-1`);

  assert.deepEqual([deleted.status, deleted.text, found.status], [200, "{}", 404]);
});

test("two configs at once, the third is RESOURCE_EXHAUSTED and changes nothing; a second later it goes", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1" });
  const modify = () =>
    house.call("POST", `${devices}/sensor-1:modifyCloudToDeviceConfig`, { binaryData: "aGk=" });

  const [first, second, third] = [await modify(), await modify(), await modify()];
  const versions = await house.call("GET", `${devices}/sensor-1/configVersions`);
  house.clock.wall += 1;
  const later = await modify();

  assert.deepEqual([first.status, second.status, third.status, later.status], [200, 200, 429, 200]);
  assert.deepEqual([third.body.error.status, third.headers["retry-after"]], ["RESOURCE_EXHAUSTED", "1"]);
  assert.equal(versions.body.deviceConfigs.length, 3);
});

test("commands above the rate are RESOURCE_EXHAUSTED, counted under the device whichever name is used", async () => {
  const house = await openPlant();
  const { numId } = (await house.call("POST", devices, { id: "sensor-1" })).body;
  await house.call("POST", devices, { id: "sensor-2" });
  await house.call("PATCH", `/mayfly${lab}/plant`, { policy: { commandsPerSecond: 2 } });
  const send = (name: string) =>
    house.call("POST", `${devices}/${name}:sendCommandToDevice`, { binaryData: "aGk=" });

  const statuses = [];
  for (const name of ["sensor-1", numId, "sensor-1", numId, "sensor-2"])
    statuses.push((await send(name)).status);

  assert.deepEqual(statuses, [200, 200, 429, 429, 200]);
  assert.equal(house.bridge.commands.length, 3);
});

test("metadata keys of 128 characters and 256 KiB in all are taken; more of either is not", async () => {
  const house = await openPlant();
  const keyOf = (length: number) => ({ ["k".repeat(length)]: "v" });
  // Eight values with their keys of two characters.
  const sum = (over: number) =>
    Object.fromEntries(
      Array.from({ length: 8 }, (_, n) => [`k${n}`, "v".repeat(32 * 1024 - 2 + (n === 0 ? over : 0))]),
    );

  const statuses = [];
  for (const [id, metadata] of Object.entries({
    ...{ "key-128": keyOf(128), "key-129": keyOf(129) },
    ...{ "sum-256": sum(0), "sum-257": sum(1) },
  }))
    statuses.push((await house.call("POST", devices, { id, metadata })).status);

  assert.deepEqual(statuses, [200, 400, 200, 400]);
});

test("a device's attributes may change more often than once a second", async () => {
  const house = await openPlant();
  await house.call("POST", devices, { id: "sensor-1" });

  const statuses = [];
  for (let n = 0; n < 5; n++) {
    const change = { metadata: { n: String(n) } };
    statuses.push((await house.call("PATCH", `${devices}/sensor-1?updateMask=metadata`, change)).status);
  }

  assert.deepEqual(statuses, [200, 200, 200, 200, 200]);
});
