import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { fastify } from "fastify";
import { adminToken, lab, nodeSha256, openAdminHouse, streamsOf } from "../../test/http/admin-house.ts";
import { permissions } from "../registry/permission.ts";
import { adminRoutes } from "./admin-api.ts";
import { requirePermissions } from "./authorization.ts";

const house = await openAdminHouse();
const routes = adminRoutes(house.ports, streamsOf(house.ports));
const urlOf = (path: string) => path.replaceAll(/\{[A-Za-z]+\}/g, "abc");

for (const route of routes) {
  if (route.permission === "public") continue;

  test(`${route.method} ${route.path} asks for ${route.permission}`, async () => {
    const address = route.opensOnLoopback === true ? "192.0.2.1" : "127.0.0.1";

    const anonymous = await house.call(route.method, urlOf(route.path), undefined, {
      token: null,
      remoteAddress: address,
    });
    const stranger = await house.call(route.method, urlOf(route.path), undefined, {
      token: "mayfly_stranger",
      remoteAddress: address,
    });

    assert.ok(permissions.some((one) => one === route.permission));
    assert.deepEqual([anonymous.status, anonymous.body.error.status], [401, "UNAUTHENTICATED"]);
    assert.deepEqual([stranger.status, stranger.body.error.status], [401, "UNAUTHENTICATED"]);
    assert.equal(anonymous.headers["www-authenticate"], "Bearer");
  });
}

test("only health is public", () => {
  const open = routes.filter((route) => route.permission === "public").map((route) => route.path);

  assert.deepEqual(open, ["/healthz", "/readyz"]);
});

test("every permission is asked for by some route", () => {
  const asked = new Set(routes.map((route) => route.permission));

  assert.deepEqual(
    permissions.filter((permission) => !asked.has(permission)),
    [],
  );
});

test("a route registered without a permission stops the start", () => {
  const app = fastify();
  requirePermissions(app, { store: house.store, clock: house.clock, sha256: nodeSha256 });

  assert.throws(
    () => app.get("/forgotten", async () => ({})),
    /GET \/forgotten is registered without a permission/,
  );
  assert.throws(
    () => app.get("/misspelt", { config: { permission: "device" } }, async () => ({})),
    /without a permission/,
  );
});

test("a token is not looked at beyond its form when it is far too long", async () => {
  const answer = await house.call("GET", lab, undefined, { token: "x".repeat(4_000) });

  assert.equal(answer.status, 401);
});

test("a loopback-only token is refused by name from elsewhere, and through a proxy on this machine", async () => {
  const elsewhere = await house.call("GET", lab, undefined, { remoteAddress: "192.0.2.1" });
  const proxied = await house.call("GET", lab, undefined, { headers: { "x-forwarded-for": "192.0.2.1" } });
  const mapped = await house.call("GET", lab, undefined, { remoteAddress: "::ffff:127.0.0.1" });

  assert.deepEqual([elsewhere.status, elsewhere.body.error.status], [403, "PERMISSION_DENIED"]);
  assert.match(elsewhere.body.error.message, /loopback/);
  assert.equal(proxied.status, 403);
  assert.equal(mapped.status, 200);
});

test("a token past its day is refused, and told how to make another", async () => {
  const late = await openAdminHouse();
  late.clock.wall += 86_400;

  const answer = await late.call("GET", lab);

  assert.equal(answer.status, 401);
  assert.match(answer.body.error.message, /mayfly admin-token new/);
});

test("a token that may be used from anywhere is", async () => {
  const open = await openAdminHouse();
  await open.store.addAdminToken({
    hash: createHash("sha256").update("mayfly_far").digest("hex"),
    name: "far",
    loopbackOnly: false,
    createdMs: 0,
  });

  const answer = await open.call("GET", lab, undefined, { token: "mayfly_far", remoteAddress: "192.0.2.1" });

  assert.equal(answer.status, 200);
});

test("no refusal repeats the token", async () => {
  const answer = await house.call("GET", lab, undefined, { remoteAddress: "192.0.2.1" });

  assert.ok(!answer.text.includes(adminToken));
});
