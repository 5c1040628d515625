import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  type DeviceName,
  formatDeviceName,
  formatRegistryName,
  IdError,
  type IdPart,
  isDeviceNumId,
  parseClientIdentifier,
  parseDeviceId,
  parseDeviceName,
  parseLocationId,
  parseProjectId,
  parseRegistryId,
  parseRegistryName,
} from "./id.ts";

// The rules as Cloud IoT Core printed them; the source spells them out without RegExp.
const documentedId = /^(?!goog)[a-zA-Z][-a-zA-Z0-9._+~%]{2,254}$/;

const idText = fc.string({ unit: fc.constantFrom(..."aZ09-._+~%/: \ng"), maxLength: 6 });
const goodId = fc.stringMatching(/^[a-fh-zA-Z][-a-zA-Z0-9._+~%]{2,30}$/);
const place = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/);
const deviceName = fc.record<DeviceName>(
  {
    project: place,
    location: place,
    registry: goodId,
    device: fc.oneof(goodId, fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(String)),
  },
  { noNullPrototype: true },
);

function assertRefused(run: () => unknown, part: IdPart): void {
  assert.throws(
    run,
    (error) => error instanceof IdError && error.code === "id_malformed" && error.part === part,
  );
}

test("a device or registry id is taken exactly when the documented rule takes it", () => {
  fc.assert(
    fc.property(fc.oneof(idText, goodId), (text) => {
      for (const [parse, part] of [
        [parseDeviceId, "device"],
        [parseRegistryId, "registry"],
      ] as const) {
        if (documentedId.test(text)) assert.equal(parse(text), text);
        else assertRefused(() => parse(text), part);
      }
    }),
    { numRuns: 1000 },
  );
});

test("an id may have 255 characters and not 256, 3 and not 2", () => {
  assert.equal(parseDeviceId(`a${"b".repeat(254)}`).length, 255);
  assert.equal(parseDeviceId("abc"), "abc");

  assertRefused(() => parseDeviceId(`a${"b".repeat(255)}`), "device");
  assertRefused(() => parseDeviceId("ab"), "device");
});

test("an id must not begin with goog, but may begin with Goog", () => {
  assertRefused(() => parseRegistryId("google"), "registry");
  assert.equal(parseRegistryId("Google"), "Google");
});

test("a numeric id is a positive 64-bit number without leading zero", () => {
  for (const text of ["1", "2928540609735937", "18446744073709551615"]) assert.ok(isDeviceNumId(text), text);
  for (const text of [
    "",
    "0",
    "01",
    "18446744073709551616",
    "99999999999999999999",
    "123456789012345678901",
    "1a",
    "-1",
    "１",
  ]) {
    assert.ok(!isDeviceNumId(text), text);
  }
});

test("a device name survives formatting and parsing, by string id and by numeric id", () => {
  fc.assert(
    fc.property(deviceName, (name) => {
      const text = formatDeviceName(name);

      assert.deepEqual(parseDeviceName(text), name);
      assert.deepEqual(parseClientIdentifier(text), name);
    }),
  );
});

test("a registry name survives formatting and parsing", () => {
  fc.assert(
    fc.property(deviceName, ({ project, location, registry }) => {
      const name = { project, location, registry };

      assert.deepEqual(parseRegistryName(formatRegistryName(name)), name);
    }),
  );
});

test("the longest name the rules allow is taken", () => {
  const name = {
    project: "p".repeat(63),
    location: "l".repeat(63),
    registry: "r".repeat(255),
    device: "d".repeat(255),
  };

  assert.deepEqual(parseClientIdentifier(formatDeviceName(name)), name);
});

for (const [text, part] of [
  ["", "name"],
  ["sensor-1", "name"],
  ["/projects/p/locations/l/registries/reg/devices/dev", "name"],
  ["projects/p/locations/l/registries/reg/devices/dev/", "name"],
  ["projects/p/locations/l/registries/reg", "name"],
  ["projects/p/locations/l/registries/reg/groups/grp/devices/dev", "name"],
  ["Projects/p/locations/l/registries/reg/devices/dev", "name"],
  ["projects/p/locations/l/registries/reg/things/dev", "name"],
  [`projects/p/locations/l/registries/reg/devices/dev${"/".repeat(100_000)}`, "name"],
  ["projects//locations/l/registries/reg/devices/dev", "project"],
  ["projects/P/locations/l/registries/reg/devices/dev", "project"],
  ["projects/p/locations/eu west/registries/reg/devices/dev", "location"],
  ["projects/p/locations/l/registries/1reg/devices/dev", "registry"],
  ["projects/p/locations/l/registries/reg/devices/de", "device"],
  ["projects/p/locations/l/registries/reg/devices/dev ", "device"],
  ["projects/p/locations/l/registries/reg/devices/a:b:c", "device"],
  ["projects/p/locations/l/registries/reg/devices/012345", "device"],
  ["projects/p/locations/l/registries/reg/devices/d\u00e9v", "device"],
] as const) {
  test(`Client Identifier ${JSON.stringify(text.slice(0, 70))} is refused for its ${part}`, () => {
    assertRefused(() => parseClientIdentifier(text), part);
  });
}

test("project ids of Google's forms and short ones of one's own are taken", () => {
  for (const text of ["mayfly", "p", "my-project-123", "example.com:my-project", "123456789012"]) {
    assert.equal(parseProjectId(text), text);
  }
  for (const text of ["", "-p", "p-", "p_q", "My", "p/q", "p".repeat(64)]) {
    assertRefused(() => parseProjectId(text), "project");
  }
});

test("locations are taken in Google's form and in any other of small letters, digits and hyphens", () => {
  for (const text of ["europe-west1", "lab", "1"]) assert.equal(parseLocationId(text), text);
  for (const text of ["", "Lab", "a.b", "lab-", "l".repeat(64)]) {
    assertRefused(() => parseLocationId(text), "location");
  }
});

test("no text makes the parsers throw anything but an IdError", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((s) => `projects/p/locations/l/registries/${s}`),
      ),
      (text) => {
        try {
          parseClientIdentifier(text);
        } catch (error) {
          assert.ok(error instanceof IdError);
        }
      },
    ),
  );
});
