import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt } from "../../test/contract/registry-store.contract.ts";
import { credential, lab, makePublicKey, openAdminHouse } from "../../test/http/admin-house.ts";

const device = `${lab}/plant/devices/sensor-1`;
const hour = 3_600_000;

/** A house whose device has three authentic, first-seen tokens, hours apart, and one piece of evidence. */
async function openWithRecords() {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  const made = await house.call("POST", `${lab}/plant/devices`, {
    id: "sensor-1",
    credentials: [credential(makePublicKey())],
  });
  const ref = { project: "mayfly", location: "lab", registry: "plant", device: made.body.numId };
  for (const [n, offsetSeconds] of [-7_500, -7_503, -60].entries()) {
    const record = attempt(n * hour, { iat: n, offsetSeconds, outcome: "token_expired" });
    house.store.recordAuthentication({ device: ref, series: `${n}`, record });
  }
  const evidence = {
    kind: "evidence",
    arrivalMs: 9 * hour,
    evidence: "shared_key",
    remoteAddresses: ["192.0.2.1", "198.51.100.7"],
    keyId: "k",
  } as const;
  house.store.recordAuthentication({ device: ref, series: "e", record: evidence });
  return house;
}

test("authentication records are listed newest first, with what they say about the clock", async () => {
  const house = await openWithRecords();

  const { status, body } = await house.call("GET", `/mayfly${device}/authentications`);

  assert.equal(status, 200);
  assert.deepEqual(body.records[0], {
    kind: "evidence",
    time: "1970-01-01T09:00:00.000Z",
    evidence: "shared_key",
    remoteAddresses: ["192.0.2.1", "198.51.100.7"],
    keyId: "k",
  });
  assert.deepEqual(body.records[1], {
    kind: "attempt",
    firstTime: "1970-01-01T02:00:00.000Z",
    lastTime: "1970-01-01T02:00:00.000Z",
    attempts: 1,
    bridge: "mqtt",
    purpose: "connect",
    outcome: "token_expired",
    authenticity: "authentic",
    firstSeen: true,
    iat: 2,
    exp: 1_800_003_600,
    u: 2,
    offsetSeconds: -60,
    keyId: "k",
    slot: 0,
    remoteAddress: "192.0.2.1",
    tlsVersion: "TLSv1.3",
    tlsResumed: false,
  });
  assert.deepEqual(
    [body.records.length, body.clock],
    [4, { offsetSeconds: -7_500, samples: 3, asOfTime: "1970-01-01T02:00:00.000Z" }],
  );
});

test("a limit shortens the list and not what is known of the clock", async () => {
  const house = await openWithRecords();

  const { body } = await house.call("GET", `/mayfly${device}/authentications?limit=1`);

  assert.deepEqual([body.records.length, body.clock.samples], [1, 3]);
});

test("a device nobody came as has an empty log, and no clock", async () => {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  await house.call("POST", `${lab}/plant/devices`, { id: "sensor-1" });

  const answer = await house.call("GET", `/mayfly${device}/authentications`);
  const unknown = await house.call("GET", `/mayfly${lab}/plant/devices/nobody/authentications`);
  const wrong = await house.call("GET", `/mayfly${device}/authentications?limit=-1`);

  assert.deepEqual(answer.body, { records: [] });
  assert.deepEqual([unknown.status, wrong.status], [404, 400]);
});
