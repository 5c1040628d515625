/** The doors: each side's bundle holds its own half. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** Files reached from `entry` by imports that survive type stripping. */
function reachedFrom(entry: string): string[] {
  const found = new Set<string>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const source = readFileSync(new URL(file, import.meta.url), "utf8");
    for (const [, clause = "", target = ""] of source.matchAll(
      /^(?:import|export) ([^;]*?) from "([^"]+)";/gms,
    )) {
      if (clause.startsWith("type ")) continue;
      assert.match(target, /^\.\/[a-z0-9.-]+\.ts$/, `${file} imports ${target}`);
      open.push(target);
    }
  }
  return [...found].sort();
}

const shared = ["acknowledgement", "auth", "disconnect", "publish"];

test("the client's door reaches no encoder of a server's packet and no decoder of a client's", () => {
  const files = reachedFrom("./client.ts");

  const packets = files.filter((file) => /\.(en|de)code\.ts$/.test(file));
  assert.deepEqual(
    packets,
    [
      ...shared.flatMap((name) => [`./${name}.decode.ts`, `./${name}.encode.ts`]),
      "./client-packet.encode.ts",
      "./connack.decode.ts",
      "./connect.encode.ts",
      "./pingreq.encode.ts",
      "./properties.decode.ts",
      "./properties.encode.ts",
      "./suback.decode.ts",
      "./subscribe.encode.ts",
      "./unsuback.decode.ts",
      "./unsubscribe.encode.ts",
    ].sort(),
  );
  assert.ok(!files.includes("./server-decoder.ts"));
  assert.ok(!files.includes("./server.ts"));
});

test("the server's door reaches no encoder of a client's packet and no decoder of a server's", () => {
  const files = reachedFrom("./server.ts");

  const packets = files.filter((file) => /\.(en|de)code\.ts$/.test(file));
  assert.deepEqual(
    packets,
    [
      ...shared.flatMap((name) => [`./${name}.decode.ts`, `./${name}.encode.ts`]),
      "./connack.encode.ts",
      "./connect.decode.ts",
      "./pingresp.encode.ts",
      "./properties.decode.ts",
      "./properties.encode.ts",
      "./server-packet.encode.ts",
      "./suback.encode.ts",
      "./subscribe.decode.ts",
      "./unsuback.encode.ts",
      "./unsubscribe.decode.ts",
    ].sort(),
  );
  assert.ok(!files.includes("./client-decoder.ts"));
});

test("the front door reaches no codec", () => {
  const files = reachedFrom("./index.ts");

  assert.deepEqual(files, ["./error.ts", "./index.ts", "./reason-code.ts"]);
});
