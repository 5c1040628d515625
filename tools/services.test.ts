import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { isServiceThere, requireService, ServiceMissing, type ServiceName, services } from "./services.ts";

const ci = process.env["CI"];
const path = process.env["PATH"];

afterEach(() => {
  process.env["PATH"] = path;
  if (ci === undefined) delete process.env["CI"];
  else process.env["CI"] = ci;
});

/** A machine on which nothing is installed but the shell. */
function hidePrograms(): void {
  process.env["PATH"] = "/nonexistent";
}

test("outside CI a missing program is a skip that names the package to install", () => {
  const skipped: (string | undefined)[] = [];
  delete process.env["CI"];
  hidePrograms();

  assert.throws(() => requireService({ skip: (why) => skipped.push(why) }, "strace"), ServiceMissing);

  assert.deepEqual(skipped, ["strace is not installed (Debian: apt-get install strace)"]);
});

test("with CI=true a missing program is a failure, never a skip", () => {
  process.env["CI"] = "true";
  hidePrograms();

  assert.throws(
    () => requireService({ skip: () => assert.fail("skipped") }, "strace"),
    /with CI=true that is a failure/,
  );
});

test("every service has a probe that answers without throwing", () => {
  for (const name of Object.keys(services) as ServiceName[])
    assert.equal(typeof isServiceThere(name), "boolean");
});
