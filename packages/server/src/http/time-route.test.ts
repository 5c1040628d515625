import assert from "node:assert/strict";
import { test } from "node:test";
import { openAdminHouse, timers } from "../../test/http/admin-house.ts";
import { dayMillis, request, timePorts, verifyAsDevice } from "../../test/time-house.ts";
import { createTimeAnswerer, type TimeRefusal } from "../time/time-answerer.ts";
import { createDeviceApi } from "./device-api.ts";
import { timePath, timeRefusalOnHttp } from "./time-route.ts";

async function openTimeApi() {
  const house = await openAdminHouse();
  const { clock, store } = house;
  const time = timePorts();
  const api = createDeviceApi({
    // Nobody is admitted in these tests, and nothing is stored: the route asks for neither.
    admission: { admitDeviceToken: () => assert.fail("a time request was asked for a token") },
    intake: { takeEvent: () => assert.fail(), takeState: () => assert.fail() },
    rates: house.ports.rates,
    registry: store,
    clock,
    timers,
    observer: { requestAnswered: () => assert.fail(), requestRefused: () => assert.fail() },
    timeAnswerer: createTimeAnswerer(time),
    onInternalError: (error) => house.internalErrors.push(error),
  });
  const post = (payload: Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
    api.inject({ method: "POST", url: timePath, payload: Buffer.from(payload), headers });
  return { api, time, post };
}

for (const type of [undefined, "application/octet-stream", "application/json", "text/plain"]) {
  test(`a request is answered in bytes, without a token, ${type === undefined ? "without a type" : `as ${type}`}`, async () => {
    const { post } = await openTimeApi();

    const answer = await post(request, type === undefined ? {} : { "content-type": type });

    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers["content-type"], "application/octet-stream");
    assert.equal(answer.headers["cache-control"], "no-store");
    await verifyAsDevice(new Uint8Array(answer.rawPayload));
  });
}

for (const [what, body] of [
  ["a short body", request.subarray(0, 292)],
  ["no body", new Uint8Array(0)],
  ["a body of another prefix", new Uint8Array(293)],
  ["a long body", new Uint8Array(294)],
] as const) {
  test(`${what} is 400`, async () => {
    const { post } = await openTimeApi();

    const answer = await post(body);

    assert.deepEqual([answer.statusCode, answer.json().error.status], [400, "INVALID_ARGUMENT"]);
  });
}

type Time = ReturnType<typeof timePorts>;
const offBecause: readonly [TimeRefusal, (time: Time) => void][] = [
  [
    "clock_untrusted",
    ({ clock }) => {
      clock.isTrusted = false;
    },
  ],
  [
    "delegation_missing",
    ({ holder }) => {
      holder.key = undefined;
    },
  ],
  [
    "outside_delegation",
    ({ clock }) => {
      clock.wallMillis += 8 * dayMillis;
    },
  ],
];
for (const [because, off] of offBecause) {
  test(`signed time that is off is 503, and says ${because} for programs`, async () => {
    const { time, post } = await openTimeApi();
    off(time);

    const answer = await post(request);

    assert.deepEqual([answer.statusCode, answer.headers["mayfly-refusal"]], [503, because]);
  });
}

test("a source beyond its share is 429, and told when to come back", async () => {
  const { post } = await openTimeApi();
  for (let i = 0; i < 32; i++) await post(request);

  const answer = await post(request);

  assert.deepEqual([answer.statusCode, answer.headers["retry-after"]], [429, "5"]);
});

test("every refusal has its code in the header", () => {
  for (const [because, refusal] of Object.entries(timeRefusalOnHttp)) {
    assert.equal(refusal().headers["mayfly-refusal"], because);
  }
});

test("another method is 405", async () => {
  const { api } = await openTimeApi();

  const answer = await api.inject({ method: "GET", url: timePath });

  assert.deepEqual([answer.statusCode, answer.headers["allow"]], [405, "POST"]);
});
