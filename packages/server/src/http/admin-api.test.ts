import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openAdminHouse, streamsOf } from "../../test/http/admin-house.ts";
import { adminRoutes } from "./admin-api.ts";

const house = await openAdminHouse();
const routes = adminRoutes(house.ports, streamsOf(house.ports));
const page = readFileSync(new URL("../../../../docs/reference/admin-api.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| ([A-Z]+) \| `([^`]+)` \| ([^|]+) \| `([^`]+)` \|$/gm)];

test("the reference lists the routes there are, with their permissions", () => {
  const documented = rows.map(([, method, path, permission]) => `${method} ${path} ${permission}`);

  const actual = routes.map(({ method, path, permission, opensOnLoopback }) => {
    const asked = permission === "public" ? "public" : `\`${permission}\``;
    return `${method} ${path} ${asked}${opensOnLoopback === true ? "; none from this machine" : ""}`;
  });
  assert.deepEqual(documented, actual);
});

test("the reference names tests that exist", () => {
  for (const [, , , , file = ""] of rows) assert.ok(existsSync(new URL(file, import.meta.url)), file);
});
