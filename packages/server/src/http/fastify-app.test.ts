import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { lab, openAdminHouse } from "../../test/http/admin-house.ts";
import { StoreError, type StoreErrorCode } from "../registry/store.ts";
import { storeErrorOnHttp, toApiError } from "./api-error.ts";
import { splitVerb, toRouterPath } from "./route.ts";

test("a path nobody serves is 404 in Google's shape, token or not", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("GET", "/v2/nothing", undefined, { token: null });

  assert.equal(answer.status, 404);
  assert.deepEqual(answer.body.error.status, "NOT_FOUND");
});

test("a method a path does not have is 405 with those it has", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("PUT", `${lab}/plant/devices/sensor-1`);

  assert.equal(answer.status, 405);
  assert.equal(answer.headers["allow"], "GET, PATCH, DELETE");
  assert.equal(answer.body.error.code, 405);
});

test("a verb nobody serves is 404", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("POST", `${lab}/plant/devices/sensor-1:explode`, {});

  assert.equal(answer.status, 404);
});

test("a path that is no URL path is INVALID_ARGUMENT", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("GET", `${lab}/%zz`);

  assert.deepEqual([answer.status, answer.body.error.status], [400, "INVALID_ARGUMENT"]);
});

test("a body above 1 MiB is INVALID_ARGUMENT", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("POST", lab, { id: "x".repeat(1024 * 1024) });

  assert.deepEqual([answer.status, answer.body.error.status], [400, "INVALID_ARGUMENT"]);
});

test("a body without a Content-Type, or with a strange one, is JSON all the same", async () => {
  const house = await openAdminHouse();

  const plain = await house.call(
    "POST",
    lab,
    { id: "plant-a" },
    { headers: { "content-type": "text/plain" } },
  );
  const none = await house.call("POST", lab, JSON.stringify({ id: "plant-b" }));

  assert.deepEqual([plain.status, none.status], [200, 200]);
});

for (const code of Object.keys(storeErrorOnHttp) as StoreErrorCode[]) {
  test(`the store's ${code} becomes ${storeErrorOnHttp[code].status}`, () => {
    const error = toApiError(new StoreError(code, "said by the store"));

    assert.equal(error.status, storeErrorOnHttp[code].status);
    assert.equal(error.message, storeErrorOnHttp[code].says ?? "said by the store");
  });
}

test("an unforeseen error is INTERNAL without its text, and told to the log", async () => {
  const house = await openAdminHouse();
  house.store.findRegistry = async () => {
    throw new Error("SELECT * FROM secrets");
  };

  const answer = await house.call("GET", `${lab}/plant`);

  assert.equal(answer.status, 500);
  assert.deepEqual(answer.body, { error: { code: 500, message: "Internal error.", status: "INTERNAL" } });
  assert.match(String(house.internalErrors[0]), /SELECT/);
});

test("what is no HTTP at all gets a 400 in Google's shape", async () => {
  const house = await openAdminHouse();
  await house.app.listen({ host: "127.0.0.1", port: 0 });
  const socket = connectTcp((house.app.server.address() as AddressInfo).port, "127.0.0.1");

  socket.end("HELO there\r\n\r\n");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  await house.app.close();

  const [head = "", body = ""] = Buffer.concat(chunks).toString().split("\r\n\r\n");
  assert.match(head, /^HTTP\/1.1 400/);
  assert.equal(JSON.parse(body).error.status, "INVALID_ARGUMENT");
});

for (const [url, split] of [
  ["/v1/r/a", "/v1/r/a"],
  ["/v1/r/a:send", "/v1/r/a/:send"],
  ["/v1/r/a:send?x=b:c/d", "/v1/r/a/:send?x=b:c/d"],
  ["/v1/r/a?x=b:c/d:e", "/v1/r/a?x=b:c/d:e"],
  ["/v1/example.com:p/r/a", "/v1/example.com:p/r/a"],
  ["/:a", "/:a"],
  ["*", "*"],
] as const) {
  test(`the verb of ${url} is found where it is one`, () => {
    assert.equal(splitVerb(url), split);
  });
}

test("Google's path form becomes the router's", () => {
  assert.equal(toRouterPath("/v1/a/{b}/c/{d}:verb"), "/v1/a/:b/c/:d/::verb");
});

test("health is red while a part is ill, and says why to this machine only", async () => {
  const house = await openAdminHouse();
  house.health.checks = [{ name: "backbone", healthy: false, because: "no room on /var" }];

  const near = await house.call("GET", "/healthz", undefined, { token: null });
  const far = await house.call("GET", "/readyz", undefined, { token: null, remoteAddress: "192.0.2.1" });

  assert.deepEqual(near.body, {
    status: "unavailable",
    checks: [{ name: "backbone", healthy: false, because: "no room on /var" }],
  });
  assert.deepEqual([far.status, far.body.checks], [503, [{ name: "backbone", healthy: false }]]);
});

test("a draining server is healthy and not ready", async () => {
  const house = await openAdminHouse();
  house.health.serving = false;

  const healthy = await house.call("GET", "/healthz", undefined, { token: null });
  const ready = await house.call("GET", "/readyz", undefined, { token: null });

  assert.deepEqual([healthy.status, ready.status], [200, 503]);
});

test("metrics need no token from this machine", async () => {
  const house = await openAdminHouse();

  const answer = await house.call("GET", "/metrics", undefined, { token: null });

  assert.deepEqual([answer.status, answer.text], [200, "mayfly_up 1\n"]);
});
