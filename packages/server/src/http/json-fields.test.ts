import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lab, openAdminHouse } from "../../test/http/admin-house.ts";
import { adminRoutes } from "./admin-api.ts";
import { ApiError } from "./api-error.ts";
import {
  findInteger,
  findTimeSeconds,
  QUOTED_CHARACTERS_MAX,
  readBytes,
  readEnum,
  readObject,
} from "./json-fields.ts";
import { createPuller } from "./puller.ts";
import { createTails } from "./tail.ts";

const fieldsOf = (value: unknown) => readObject({ value }, "", ["value"]);

test("whatever JSON a route is sent, the answer is never INTERNAL", async () => {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  await house.call("POST", `${lab}/plant/devices`, { id: "dev-1" });
  const routes = adminRoutes(house.ports, createPuller(house.ports), createTails(house.ports)).filter(
    (route) => route.method === "POST" || route.method === "PATCH" || route.method === "PUT",
  );
  const names = fc.constantFrom(
    ...[
      "id",
      "name",
      "policy",
      "preset",
      "retention",
      "credentials",
      "publicKey",
      "format",
      "key",
      "metadata",
    ],
    ...["config", "binaryData", "gatewayConfig", "state", "slot", "expirationTime", "ackIds", "registry"],
    ...[
      "__proto__",
      "constructor",
      "maxMessages",
      "versionToUpdate",
      "tokensNotBefore",
      "logLevel",
      "mqttConfig",
    ],
  );
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
  const member = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(names, leaf, { maxKeys: 3 }));
  const bodies = fc.oneof(
    member,
    fc.dictionary(names, fc.oneof(member, fc.array(fc.dictionary(names, member)))),
  );
  const params: Readonly<Record<string, string>> = {
    project: "mayfly",
    location: "lab",
    registry: "plant",
    device: "dev-1",
    key: "none",
    subscription: "sink-1",
  };
  const masks = fc.constantFrom(
    "",
    "?updateMask=credentials",
    "?updateMask=metadata,logLevel",
    "?updateMask=mqtt_config",
  );

  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), masks, bodies, async (route, mask, body) => {
      const url = route.path.replaceAll(/\{([A-Za-z]+)\}/g, (_whole, name: string) => params[name] ?? "");

      const answer = await house.call(route.method, url + mask, JSON.stringify(body));

      assert.notEqual(answer.status, 500, `${route.method} ${url} ${JSON.stringify(body)}`);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(house.internalErrors, []);
});

for (const [text, seconds] of [
  ["1970-01-01T00:00:00Z", null],
  ["1970-01-01T00:00:00.000000000Z", null],
  ["2023-11-14T22:13:20Z", 1_700_000_000],
  ["2023-11-14T23:13:20.999+01:00", 1_700_000_000],
  ["", null],
] as const) {
  test(`the instant '${text}' is ${seconds}`, () => {
    assert.equal(findTimeSeconds(fieldsOf(text), "value"), seconds);
  });
}

for (const text of ["2023-11-14", "2023-02-31T99:00:00Z", "1969-12-31T23:59:59Z", "now", "1700000000"]) {
  test(`'${text}' is no instant`, () => {
    assert.throws(() => findTimeSeconds(fieldsOf(text), "value"), ApiError);
  });
}

test("integers come as numbers or text, within their bounds", () => {
  assert.equal(findInteger(fieldsOf("7"), "value", 0, 9), 7);
  assert.equal(findInteger(fieldsOf(7), "value", 0, 9), 7);
  for (const wrong of ["7.5", 7.5, "0x7", "", 10, -1, "99999999999999999999", true]) {
    assert.throws(() => findInteger(fieldsOf(wrong), "value", 0, 9), ApiError);
  }
});

test("enums come by name, by number, or by number as text; absent is the one numbered 0", () => {
  const numbers = { NONE: 0, SOME: 3 };

  const read = [3, "3", "SOME", null, 0].map((value) => readEnum(fieldsOf(value), "value", numbers));

  assert.deepEqual(read, ["SOME", "SOME", "SOME", "NONE", "NONE"]);
  for (const wrong of [1, "some", "toString", {}]) {
    assert.throws(() => readEnum(fieldsOf(wrong), "value", numbers), ApiError);
  }
});

test("a refusal of base64 repeats the text to the caller as Cloud IoT Core did, up to a maximum", () => {
  const refusalOf = (text: string) => {
    try {
      readBytes(fieldsOf(text), "value");
    } catch (error) {
      return error instanceof ApiError ? error.message : "";
    }
    return "";
  };

  const [short, longest, long] = ["123", "!".repeat(QUOTED_CHARACTERS_MAX), "!".repeat(99)].map(refusalOf);

  assert.equal(short, `Invalid value at 'value' (TYPE_BYTES), Base64 decoding failed for "123"`);
  assert.ok(longest?.endsWith(`"${"!".repeat(QUOTED_CHARACTERS_MAX)}"`));
  assert.ok(long?.endsWith(`"${"!".repeat(QUOTED_CHARACTERS_MAX)}…"`));
});
