import assert from "node:assert/strict";
import { test } from "node:test";
import { findBreaches, formatBreach, type Manifest } from "./check.ts";
import { folderRules, packageDoors, sentences } from "./doors.ts";

/** A small house in which nothing is broken; a test adds the one file that breaks a rule. */
const soundHouse: Readonly<Record<string, string>> = {
  "packages/core/src/index.ts": `export { idOf } from "./id.ts";`,
  "packages/core/src/id.ts": `export const idOf = (text: string): string => text;`,
  "packages/core/src/admin/index.ts": `export {};`,
  "packages/device/src/index.ts": `import { idOf } from "@mayfly/core";\nexport const agent = idOf("a");`,
  "packages/server/src/index.ts": `export {};`,
  "packages/server/src/auth/admission.ts": `import { createHash } from "node:crypto";\nexport const h = createHash;`,
  "packages/server/src/http/routes.ts": `export {};`,
  "packages/server/src/mqtt/bridge.ts": `export {};`,
  "packages/server/src/registry/store.ts": `export {};`,
  "packages/server/src/store/memory/store.ts": `export const now = () => Date.now();`,
  "packages/server/src/backbone/memory/log.ts": `export {};`,
  "packages/server/src/host/clock.ts": `import { readFileSync } from "node:fs";\nexport { readFileSync };`,
  "packages/cli/src/main.ts": `import "./host/terminal.ts";\nconsole.log(process.env["HOME"]);`,
  "packages/cli/src/host/terminal.ts": `export {};`,
  "packages/cli/src/demo/demo.ts": `import { agent } from "@mayfly/device";\nexport const demo = agent;`,
  "packages/core/test/fake.ts": `export const fake = Math.random();`,
};

const manifests: ReadonlyMap<string, Manifest> = new Map([
  ["", { devDependencies: { "fast-check": "4" } }],
  [
    "packages/core",
    { name: "@mayfly/core", exports: { ".": "./src/index.ts", "./admin": "./src/admin/index.ts" } },
  ],
  [
    "packages/device",
    { name: "@mayfly/device", exports: { ".": "./src/index.ts" }, dependencies: { "@mayfly/core": "1" } },
  ],
  [
    "packages/server",
    {
      name: "@mayfly/server",
      exports: { ".": "./src/index.ts" },
      dependencies: { "@mayfly/core": "1", fastify: "5", pino: "1", lodash: "4" },
    },
  ],
  [
    "packages/cli",
    {
      name: "@mayfly/cli",
      dependencies: { "@mayfly/core": "1", "@mayfly/device": "1", "@mayfly/server": "1", commander: "1" },
    },
  ],
]);

function breachesOf(added: Readonly<Record<string, string>>): readonly string[] {
  const sources = new Map(Object.entries({ ...soundHouse, ...added }));
  return findBreaches({ sources, manifests }).map(
    (breach) => `${breach.path}:${breach.line}: ${breach.sentence}`,
  );
}

/** Adds one file to the sound house and expects exactly this sentence about its line 1. */
function breaks(path: string, source: string, ...expected: readonly string[]): void {
  assert.deepEqual(
    breachesOf({ [path]: source }),
    expected.map((sentence) => `${path}:1: ${sentence}`),
    source,
  );
}

test("a sound house has no breach", () => {
  assert.deepEqual(breachesOf({}), []);
});

test("a breach reads as place, sentence and what was found", () => {
  const sources = new Map([["packages/core/src/a.ts", `\nconst at = Date.now();`]]);

  const lines = findBreaches({ sources, manifests }).map(formatBreach);

  assert.deepEqual(lines, [`packages/core/src/a.ts:2: ${sentences.touch} (found: Date.now)`]);
});

test("a package that enters another one outside its row of the doors table is caught", () => {
  const { core, device, server } = packageDoors;
  assert.ok(core !== undefined && device !== undefined && server !== undefined);

  breaks("packages/core/src/a.ts", `import "@mayfly/device";`, core.sentence, sentences.declared);
  breaks("packages/device/src/a.ts", `import "@mayfly/server";`, device.sentence, sentences.declared);
  breaks(
    "packages/server/src/a.ts",
    `import type { A } from "@mayfly/device";`,
    server.sentence,
    sentences.declared,
  );
  breaks(
    "packages/server/src/a.ts",
    `export { a } from "@mayfly/device";`,
    server.sentence,
    sentences.declared,
  );
  breaks(
    "packages/server/src/a.ts",
    `const a = await import("@mayfly/device");`,
    server.sentence,
    sentences.declared,
  );
  breaks(
    "packages/server/src/a.ts",
    `let a: import("@mayfly/device").A;`,
    server.sentence,
    sentences.declared,
  );
});

test("entering a package by anything but a front door is caught, in tests too", () => {
  breaks("packages/device/src/a.ts", `import "@mayfly/core/src/id.ts";`, ...frontDoorOfDevice());
  breaks("packages/device/src/a.ts", `import "../../core/src/id.ts";`, sentences.relativeEscape);
  breaks("packages/device/src/a.test.ts", `import "../../core/src/id.ts";`, sentences.relativeEscape);
  breaks("packages/device/src/a.test.ts", `import "@mayfly/core/id";`, sentences.frontDoor);
});

function frontDoorOfDevice(): readonly string[] {
  return [sentences.frontDoor];
}

test("an outside library where none is allowed, or away from its adapter, is caught", () => {
  const { core, server } = packageDoors;
  assert.ok(core !== undefined && server !== undefined);

  breaks("packages/core/src/a.ts", `import fc from "fast-check";`, core.sentence, sentences.declared);
  breaks("packages/server/src/host/a.ts", `import _ from "lodash";`, server.sentence);
  breaks("packages/server/src/mqtt/a.ts", `import { pino } from "pino";`, sentences.library);
  breaks("packages/server/src/http/a.ts", `import { fastify } from "fastify";`);
});

test("a library that package.json does not declare is caught", () => {
  breaks("packages/server/src/host/a.ts", `import "prom-client";`, sentences.declared);
  breaks("packages/core/src/a.test.ts", `import "left-pad";`, sentences.declared);
  breaks("packages/core/src/a.test.ts", `import fc from "fast-check";`);
});

test("Node's modules are caught in core, and in device outside host/node", () => {
  const { core, device } = packageDoors;
  assert.ok(core !== undefined && device !== undefined);

  breaks("packages/core/src/a.ts", `import { join } from "node:path";`, core.sentence);
  breaks("packages/device/src/a.ts", `import type { A } from "node:net";`, device.sentence);
  breaks("packages/device/src/host/node/a.ts", `import { connect } from "node:tls";`);
});

test("a domain folder of the server that imports an adapter or a caller is caught", () => {
  const domain = folderRules[0]?.sentence ?? "";

  for (const to of [
    "store/memory/store",
    "backbone/memory/log",
    "host/clock",
    "http/routes",
    "mqtt/bridge",
  ]) {
    for (const from of ["auth", "registry", "telemetry"]) {
      breaks(`packages/server/src/${from}/a.ts`, `import type { A } from "../${to}.ts";`, domain);
    }
  }
});

test("mqtt or http that imports a store, a backbone or a host is caught", () => {
  const callers = folderRules[1]?.sentence ?? "";

  for (const to of ["store/memory/store", "backbone/memory/log", "host/clock"]) {
    breaks("packages/server/src/mqtt/a.ts", `import "../${to}.ts";`, callers);
    breaks("packages/server/src/http/a.ts", `import "../${to}.ts";`, callers);
  }
  breaks("packages/server/src/http/a.ts", `import "../mqtt/bridge.ts";`);
});

test("a store that knows its callers is caught", () => {
  breaks("packages/server/src/store/a.ts", `import "../http/routes.ts";`, folderRules[2]?.sentence ?? "");
});

for (const touch of [
  "Date.now()",
  "globalThis.Date.now()",
  "new Date()",
  "Date()",
  "Math.random()",
  "performance.now()",
  "process.env",
  "process?.env",
  "process.hrtime.bigint()",
  "setTimeout(() => {}, 1)",
  "setInterval",
  "globalThis.setImmediate(f)",
  "crypto.getRandomValues(bytes)",
  "fetch(url)",
  "new WebSocket(url)",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder belongs to the source under test
  "`at ${Date.now()}`",
]) {
  test(`touching the machine by ${touch} is caught outside host, store, backbone and a main`, () => {
    const source = `const a = ${touch};`;

    breaks("packages/server/src/auth/a.ts", source, sentences.touch);
    breaks("packages/cli/src/commands/a.ts", source, sentences.touch);
    breaks("packages/core/src/host/a.ts", source, sentences.touch);
    breaks("packages/server/src/host/a.ts", source);
    breaks("packages/server/src/store/sqlite/a.ts", source);
    breaks("packages/server/src/backbone/sqlite/a.ts", source);
    breaks("packages/cli/src/main.ts", source);
    breaks("packages/server/src/auth/a.test.ts", source);
    breaks("packages/server/test/a.ts", source);
  });
}

for (const source of [
  `import { readFileSync } from "node:fs";`,
  `import { connect } from "node:net";`,
  `import * as tls from "node:tls";`,
  `import { createSocket } from "node:dgram";`,
  `import { request } from "node:http";`,
  `import { connect } from "node:http2";`,
  `import { Worker } from "node:worker_threads";`,
  `import { spawn } from "node:child_process";`,
  `import { DatabaseSync } from "node:sqlite";`,
  `import { setTimeout as wait } from "node:timers/promises";`,
  `import { env } from "node:process";`,
  `import { randomBytes } from "node:crypto";`,
  `import * as crypto from "node:crypto";`,
  `import crypto from "node:crypto";`,
  `import { createHash, randomUUID as id } from "node:crypto";`,
  `const fs = await import("node:fs");`,
]) {
  test(`${source} is caught outside host, store, backbone and a main`, () => {
    breaks("packages/server/src/auth/a.ts", source, sentences.touch);
    breaks("packages/server/src/host/a.ts", source);
  });
}

for (const innocent of [
  "// Date.now()",
  "/* setTimeout(f) */",
  'const text = "Math.random()";',
  "const text = `setTimeout()`;",
  "const pattern = /Date.now()/;",
  "const at = new Date(millis);",
  "const at = clock.now();",
  "timers.setTimeout(f);",
  "const Ports = { setTimeout: 1 };",
  "function get(fetch: Fetch) { return fetch(url); }",
  "const get = ({ fetch, url }: Ports) => fetch(url);",
  `import type { Socket } from "node:net";`,
  `import { createHash, timingSafeEqual, verify } from "node:crypto";`,
]) {
  test(`${innocent} is no breach`, () => {
    breaks("packages/server/src/auth/a.ts", innocent);
  });
}

test("what ships and imports a test, its fakes, a tool or a bench is caught", () => {
  breaks("packages/core/src/a.ts", `import "../test/fake.ts";`, sentences.testCode);
  breaks("packages/core/src/a.ts", `import "../../../tools/x.ts";`, sentences.missing, sentences.testCode);
  breaks("packages/core/src/a.ts", `import "./a.test.ts";`, sentences.missing, sentences.testCode);
});

test("a front door that says export * is caught", () => {
  breaks("packages/core/src/a.ts", `export * from "./id.ts";`, sentences.wildcard);
});

test("an import nobody can check is caught", () => {
  breaks("packages/core/src/a.ts", `const a = await import(name);`, sentences.computed);
});

test("an import of a file that is not there is caught", () => {
  breaks("packages/core/src/a.ts", `import "./gone.ts";`, sentences.missing);
  breaks(
    "packages/server/src/host/a.ts",
    `new Worker(new URL("./gone.ts", import.meta.url));`,
    sentences.missing,
  );
});

test("a demo that reaches into the command instead of the published doors is caught", () => {
  breaks("packages/cli/src/demo/a.ts", `import "../host/terminal.ts";`, sentences.demo);
  breaks("packages/cli/src/demo/a.ts", `import "@mayfly/core/src/id.ts";`, sentences.frontDoor);
  breaks("packages/cli/src/demo/a.ts", `import "./demo.ts";`);
});

test("a demo that imports the server instead of meeting it over TLS is caught", () => {
  breaks("packages/cli/src/demo/a.ts", `import "@mayfly/server";`, sentences.demoServer);
  breaks("packages/cli/src/commands/demo.ts", `await import("@mayfly/server");`, sentences.demoServer);
  breaks("packages/cli/src/commands/serve.ts", `await import("@mayfly/server");`);
});

test("a package without a row in the doors table is caught", () => {
  breaks("packages/surprise/src/index.ts", `export {};`, sentences.unknownPackage);
});
