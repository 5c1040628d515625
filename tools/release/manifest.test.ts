import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrderOfNeed } from "./build.ts";
import { toPublishedManifest, type WorkingManifest } from "./manifest.ts";

const working: WorkingManifest = {
  name: "@mayfly/door",
  version: "0.1.0",
  description: "A door.",
  license: "Apache-2.0",
  type: "module",
  engines: { node: ">=24" },
  exports: { ".": "./src/index.ts", "./node": "./src/host/node/index.ts" },
  bin: { door: "./src/main.ts" },
  dependencies: { "@mayfly/core": "0.1.0" },
};

test("a published door leads to the built file and its types", () => {
  const { exports } = toPublishedManifest(working);

  assert.deepEqual(exports, {
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./node": { types: "./dist/host/node/index.d.ts", default: "./dist/host/node/index.js" },
    "./package.json": "./package.json",
  });
});

test("a published command is the built program", () => {
  const { bin, files, dependencies } = toPublishedManifest(working);

  assert.deepEqual(bin, { door: "dist/main.js" });
  assert.deepEqual(files, ["dist"]);
  assert.deepEqual(dependencies, { "@mayfly/core": "0.1.0" });
});

test("a folder that is shipped as it is stands beside the built code", () => {
  assert.deepEqual(toPublishedManifest({ ...working, files: ["systemd"] }).files, ["dist", "systemd"]);
});

test("a door that does not lead into src is refused", () => {
  assert.throws(
    () => toPublishedManifest({ ...working, exports: { ".": "./lib/index.js" } }),
    /no \.ts file below/,
  );
});

test("packages are built after what they need, and a circle is refused", () => {
  const core: WorkingManifest = { ...working, name: "@mayfly/core", dependencies: {} };

  assert.deepEqual(inOrderOfNeed([working, core]), [core, working]);
  assert.throws(() => inOrderOfNeed([working, { ...core, dependencies: { "@mayfly/door": "1" } }]), /circle/);
});
