import assert from "node:assert/strict";
import { test } from "node:test";
import { lab, openAdminHouse } from "../../test/http/admin-house.ts";

test("a registry made through v1 has the preset iot-core and shows both bridges enabled", async () => {
  const house = await openAdminHouse();

  const made = await house.call("POST", lab, { id: "plant" });
  const details = await house.call("GET", `/mayfly${lab}/plant`);

  assert.equal(made.status, 200);
  assert.deepEqual(made.body, {
    id: "plant",
    name: "projects/mayfly/locations/lab/registries/plant",
    mqttConfig: { mqttEnabledState: "MQTT_ENABLED" },
    httpConfig: { httpEnabledState: "HTTP_ENABLED" },
  });
  assert.equal(details.body.policy.preset, "iot-core");
});

test("a registry takes enums by number and members in snake_case, as gapic and old clients send them", async () => {
  const house = await openAdminHouse();

  const made = await house.call("POST", `${lab}?$alt=json%3Benum-encoding=int&prettyPrint=false`, {
    id: "plant",
    mqtt_config: { mqtt_enabled_state: 2 },
    httpConfig: { httpEnabledState: "HTTP_DISABLED" },
    logLevel: 30,
    event_notification_configs: [{ pubsub_topic_name: "projects/p/topics/t" }],
  });

  assert.deepEqual(made.body, {
    id: "plant",
    name: "projects/mayfly/locations/lab/registries/plant",
    eventNotificationConfigs: [{ pubsubTopicName: "projects/p/topics/t" }],
    mqttConfig: { mqttEnabledState: "MQTT_DISABLED" },
    httpConfig: { httpEnabledState: "HTTP_DISABLED" },
    logLevel: "INFO",
  });
});

test("a masked field that the body leaves out is cleared, an unmasked one is ignored", async () => {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant", logLevel: "DEBUG", httpConfig: { httpEnabledState: 2 } });

  const patched = await house.call("PATCH", `${lab}/plant?updateMask=log_level`, {
    httpConfig: { httpEnabledState: "HTTP_ENABLED" },
  });

  assert.equal(patched.status, 200);
  assert.equal(patched.body.logLevel, undefined);
  assert.equal(patched.body.httpConfig.httpEnabledState, "HTTP_DISABLED");
});

for (const [mask, body] of [
  ["mqtt_config", { mqttConfig: { mqttEnabledState: "MQTT_DISABLED" } }],
  ["mqttConfig.mqttEnabledState", { mqttConfig: { mqttEnabledState: "MQTT_DISABLED" } }],
  ["mqtt_config.mqtt_enabled_state,log_level", { mqttConfig: { mqttEnabledState: 2 }, name: "" }],
] as const) {
  test(`the mask ${mask} disables MQTT`, async () => {
    const house = await openAdminHouse();
    await house.call("POST", lab, { id: "plant" });

    const patched = await house.call("PATCH", `${lab}/plant?updateMask=${mask}`, body);

    assert.equal(patched.body.mqttConfig.mqttEnabledState, "MQTT_DISABLED");
  });
}

for (const [sentence, method, url, body, status, code] of [
  [
    "an unknown project is NOT_FOUND",
    "GET",
    "/v1/projects/nowhere/locations/lab/registries",
    undefined,
    404,
    "NOT_FOUND",
  ],
  [
    "a closed location is NOT_FOUND",
    "GET",
    "/v1/projects/mayfly/locations/mars/registries",
    undefined,
    404,
    "NOT_FOUND",
  ],
  ["an unknown registry is NOT_FOUND", "GET", `${lab}/nothing`, undefined, 404, "NOT_FOUND"],
  ["a registry that exists is ALREADY_EXISTS", "POST", lab, { id: "plant" }, 409, "ALREADY_EXISTS"],
  [
    "an id that begins with goog is INVALID_ARGUMENT",
    "POST",
    lab,
    { id: "googplant" },
    400,
    "INVALID_ARGUMENT",
  ],
  ["a name in a create is INVALID_ARGUMENT", "POST", lab, { id: "p-2", name: "x" }, 400, "INVALID_ARGUMENT"],
  ["a patch without a mask is INVALID_ARGUMENT", "PATCH", `${lab}/plant`, {}, 400, "INVALID_ARGUMENT"],
  ["an empty mask is INVALID_ARGUMENT", "PATCH", `${lab}/plant?updateMask=`, {}, 400, "INVALID_ARGUMENT"],
  [
    "a mask that names id is INVALID_ARGUMENT",
    "PATCH",
    `${lab}/plant?updateMask=id`,
    {},
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a mask of nonsense is INVALID_ARGUMENT",
    "PATCH",
    `${lab}/plant?updateMask=constructor`,
    {},
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a misspelt member is INVALID_ARGUMENT",
    "POST",
    lab,
    { id: "p-2", mqtConfig: {} },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "eleven event configs are INVALID_ARGUMENT",
    "POST",
    lab,
    { id: "p-2", eventNotificationConfigs: Array(11).fill({}) },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "an event topic that is no topic name is INVALID_ARGUMENT",
    "POST",
    lab,
    { id: "p-2", eventNotificationConfigs: [{ pubsubTopicName: "telemetry" }] },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a state topic that is no topic name is INVALID_ARGUMENT",
    "POST",
    lab,
    { id: "p-2", stateNotificationConfig: { pubsubTopicName: "projects/mayfly/topics/" } },
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a page size that is no number is INVALID_ARGUMENT",
    "GET",
    `${lab}?pageSize=many`,
    undefined,
    400,
    "INVALID_ARGUMENT",
  ],
  [
    "a broken certificate is INVALID_ARGUMENT",
    "POST",
    lab,
    { id: "p-2", credentials: [{ publicKeyCertificate: { certificate: "x" } }] },
    400,
    "INVALID_ARGUMENT",
  ],
] as const) {
  test(sentence, async () => {
    const house = await openAdminHouse();
    await house.call("POST", lab, { id: "plant" });

    const answer = await house.call(method, url, body);

    assert.equal(answer.status, status);
    assert.deepEqual(
      { ...answer.body.error, message: "", details: undefined },
      { code: status, message: "", status: code, details: undefined },
    );
    assert.ok(answer.body.error.message.length > 10);
  });
}

test("a project this server does not have is refused with the list of those it has", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("POST", "/v1/projects/nowhere/locations/lab/registries", { id: "plant" });

  assert.match(answer.body.error.message, /\{mayfly,other\}/);
});

test("a registry with devices is not deleted: FAILED_PRECONDITION; an empty one is, with a JSON body", async () => {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  await house.call("POST", `${lab}/plant/devices`, { id: "sensor-1" });

  const full = await house.call("DELETE", `${lab}/plant`);
  await house.call("DELETE", `${lab}/plant/devices/sensor-1`);
  const empty = await house.call("DELETE", `${lab}/plant`);

  assert.equal(full.status, 400);
  assert.equal(full.body.error.status, "FAILED_PRECONDITION");
  assert.deepEqual([empty.status, empty.text], [200, "{}"]);
});

test("a list comes in pages, and the last has no token", async () => {
  const house = await openAdminHouse();
  for (const id of ["plant-a", "plant-b", "plant-c"]) await house.call("POST", lab, { id });

  const first = await house.call("GET", `${lab}?pageSize=2`);
  const second = await house.call(
    "GET",
    `${lab}?page_size=2&page_token=${encodeURIComponent(first.body.nextPageToken)}`,
  );

  const ids = (page: typeof first) => page.body.deviceRegistries.map((one: { id: string }) => one.id);
  assert.deepEqual([ids(first), ids(second)], [["plant-a", "plant-b"], ["plant-c"]]);
  assert.equal(second.body.nextPageToken, undefined);
});

test("an id with +, % and ~ travels percent-encoded and comes back as it was", async () => {
  const house = await openAdminHouse();
  const id = "a+b%7E~c.d_e-f";

  await house.call("POST", lab, { id });
  const found = await house.call("GET", `${lab}/${encodeURIComponent(id)}?`);

  assert.equal(found.body.id, id);
});
