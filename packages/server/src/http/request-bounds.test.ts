/** What a request may ask at most. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdminHouse, lab, openAdminHouse } from "../../test/http/admin-house.ts";
import { DEVICE_IDS_MAX, DEVICE_PAGE_SIZE_MAX } from "../registry/devices.ts";
import { REGISTRY_PAGE_SIZE_MAX, RETENTION_AGE_SECONDS_MAX } from "../registry/registries.ts";
import { ADMIN_CONNECTIONS_MAX } from "./admin-api.ts";
import { MASK_CHARACTERS_MAX } from "./field-mask.ts";
import { PAGE_SIZE_DEFAULT, PAGE_TOKEN_CHARACTERS_MAX } from "./paging.ts";

const devices = `${lab}/plant/devices`;

async function openPlant(): Promise<AdminHouse> {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  return house;
}

test("a page holds at most 500 devices, whatever is asked for", async () => {
  const house = await openPlant();
  for (let n = 0; n <= DEVICE_PAGE_SIZE_MAX; n++) await house.call("POST", devices, { id: `dev-${n}` });

  const page = await house.call("GET", `${devices}?pageSize=${DEVICE_PAGE_SIZE_MAX + 1}`);
  const rest = await house.call("GET", `${devices}?pageSize=10000&pageToken=${page.body.nextPageToken}`);

  assert.equal(page.body.devices.length, DEVICE_PAGE_SIZE_MAX);
  assert.equal(rest.body.devices.length, 1);
});

test("a page that asks for no size holds 100 devices, by their ids", async () => {
  const house = await openPlant();
  for (let n = PAGE_SIZE_DEFAULT; n >= 0; n--) await house.call("POST", devices, { id: `dev-${1_000 + n}` });

  const page = await house.call("GET", devices);

  const ids = (page.body.devices as readonly { id: string }[]).map(({ id }) => id);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [100, "dev-1000", "dev-1099"]);
});

test("a page holds at most 500 registries, whatever is asked for", async () => {
  const house = await openAdminHouse();
  for (let n = 0; n <= REGISTRY_PAGE_SIZE_MAX; n++) await house.call("POST", lab, { id: `plant-${n}` });

  const page = await house.call("GET", `${lab}?pageSize=${REGISTRY_PAGE_SIZE_MAX + 1}`);

  assert.equal(page.body.deviceRegistries.length, REGISTRY_PAGE_SIZE_MAX);
});

for (const [what, sizeMax, urlOf] of [
  ["a page token", PAGE_TOKEN_CHARACTERS_MAX, (n: number) => `${devices}?pageToken=${"a".repeat(n)}`],
  [
    "a field mask",
    MASK_CHARACTERS_MAX,
    (n: number) => `${devices}?fieldMask=${"metadata,".repeat(n).slice(0, n)}`,
  ],
  ["a list of ids", DEVICE_IDS_MAX, (n: number) => `${devices}?${"deviceIds=abc&".repeat(n)}`],
] as const) {
  test(`${what} above its maximum is INVALID_ARGUMENT`, async () => {
    const house = await openPlant();

    const over = await house.call("GET", urlOf(sizeMax + 1));

    assert.deepEqual([over.status, over.body.error.status], [400, "INVALID_ARGUMENT"]);
  });
}

test("as many ids as may be named are looked up", async () => {
  const house = await openPlant();

  const answer = await house.call("GET", `${devices}?${"deviceIds=abc&".repeat(DEVICE_IDS_MAX)}`);

  assert.equal(answer.status, 200);
});

test("the admin listener takes a stated number of connections", async () => {
  const house = await openAdminHouse();

  assert.equal(house.app.server.maxConnections, ADMIN_CONNECTIONS_MAX);
});

test("messages are kept ten years at most", async () => {
  const house = await openPlant();
  const keepFor = (ageSeconds: number) =>
    house.call("PATCH", `/mayfly${lab}/plant`, { retention: { ageSeconds } });

  assert.equal((await keepFor(RETENTION_AGE_SECONDS_MAX)).status, 200);
  assert.equal((await keepFor(RETENTION_AGE_SECONDS_MAX + 1)).status, 400);
});
