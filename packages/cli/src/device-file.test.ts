import assert from "node:assert/strict";
import { test } from "node:test";
import { DEVICE_FILE_ENTRIES_MAX, differencesOf, readDevices } from "./device-file.ts";

const credential = { publicKey: { format: "ES256_PEM", key: "-----BEGIN PUBLIC KEY-----\nAA\n" } } as const;

/** As `gcloud iot devices describe --format=json` printed it. */
const described = {
  blocked: false,
  config: { binaryData: "eyJhIjoxfQ==", cloudUpdateTime: "2023-01-01T00:00:00.123456Z", version: "7" },
  credentials: [{ expirationTime: "1970-01-01T00:00:00Z", ...credential }],
  gatewayConfig: { gatewayType: "NON_GATEWAY", lastAccessedGatewayId: "hall" },
  id: "fern",
  lastEventTime: "2023-01-01T00:00:00Z",
  lastErrorStatus: { code: 9, message: 'a brace } and a quote " in it' },
  metadata: { floor: "2" },
  name: "projects/p/locations/us-central1/registries/r/devices/2928540609735937",
  numId: "2928540609735937",
};
const creation = {
  id: "fern",
  credentials: described.credentials,
  blocked: false,
  metadata: { floor: "2" },
  gatewayConfig: { gatewayType: "NON_GATEWAY" },
  config: { binaryData: "eyJhIjoxfQ==" },
};

for (const [what, text] of [
  ["an array", JSON.stringify([described, { id: "moss" }], undefined, 2)],
  ["one object a line", `${JSON.stringify(described)}\n${JSON.stringify({ id: "moss" })}\n`],
  ["outputs one after the other", `${JSON.stringify(described, undefined, 2)}\n{\n"id": "moss"\n}\n`],
] as const) {
  test(`devices come as ${what}, and what the old server wrote is left behind`, () => {
    const entries = [...readDevices(text)].map((entry) => "device" in entry && entry.device);

    assert.deepEqual(entries, [creation, { id: "moss" }]);
  });
}

test("each device knows the line it begins at, also behind one that is wrong", () => {
  const text = `[\n{"id": "a"},\n{"id": 7},\n\n{"id": "c",\n "credentials": [{}]}, {"id": "d" "e"},\n{"id": "f"}]`;

  const entries = [...readDevices(text)];

  const words = entries.map((entry) => [entry.line, "device" in entry ? entry.device.id : entry.trouble]);
  const keyless = 'a device has an "id", and each of its "credentials" a "publicKey" with "format" and "key"';
  assert.deepEqual(words, [
    [2, "a"],
    [3, keyless],
    [5, keyless],
    [6, "this is no JSON"],
    [7, "f"],
  ]);
});

test("a file that breaks off is told by the line where its last device begins", () => {
  assert.deepEqual(
    [...readDevices('{"id":"a"}\n\n{"id": "b')],
    [
      { line: 1, device: { id: "a" } },
      { line: 3, trouble: "the device that begins here has no end" },
    ],
  );
});

test("text that is no JSON of devices ends the reading", () => {
  assert.deepEqual(
    [...readDevices('{"id":"a"}\nid: b\n{"id":"c"}')],
    [
      { line: 1, device: { id: "a" } },
      { line: 2, trouble: "this is no JSON of devices" },
    ],
  );
});

test("a file holds 100,000 devices at most", () => {
  const text = '{"id":"a"}\n'.repeat(DEVICE_FILE_ENTRIES_MAX + 2);

  const entries = [...readDevices(text)];

  assert.equal(entries.length, DEVICE_FILE_ENTRIES_MAX + 1);
  assert.deepEqual(entries.at(-1), {
    line: DEVICE_FILE_ENTRIES_MAX + 1,
    trouble: "a file holds 100000 devices at most",
  });
});

test("a device that is there differs by what an operator can see, not by how a key is wrapped", () => {
  const present = { id: "fern", name: "n", numId: "1", gatewayConfig: {} };
  const wrapped = { publicKey: { ...credential.publicKey, key: "-----BEGIN PUBLIC KEY-----\r\nAA" } };

  const equal = differencesOf(
    { ...present, credentials: [wrapped] },
    { id: "fern", credentials: [credential] },
  );
  const other = differencesOf(present, {
    id: "fern",
    credentials: [credential],
    blocked: true,
    metadata: { a: "b" },
    gatewayConfig: { gatewayType: "GATEWAY" },
  });

  assert.deepEqual(equal, []);
  assert.deepEqual(other, ["credentials", "blocked", "metadata", "gatewayConfig"]);
});
