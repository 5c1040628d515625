import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type SmallStore, smallValueBytesMax } from "../ports.ts";
import { AuthenticationForm } from "./authentication-form.ts";
import { RememberedForm, rememberedKey, rememberedSecondsMax } from "./remembered-form.ts";

const sha256 = {
  digest: (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest(),
};
const now = 1_800_000_000;

function arrange() {
  const values = new Map<string, Uint8Array>();
  let writes = 0;
  const store: SmallStore = {
    read: (key) => values.get(key),
    write: async (key, value) => {
      writes += 1;
      values.set(key, value.slice());
    },
  };
  const start = (bridge = "bridge.example:8883") => new RememberedForm(store, sha256, bridge);
  return { values, store, start, writesTimes: () => writes };
}

test("after a restart a bridge is asked by the form that it took before", () => {
  const { start } = arrange();
  start().learn("password", now);

  const form = new AuthenticationForm(5, start());
  form.recall(now + 60);

  assert.equal(form.name, "password");
});

test("a form that is remembered is settled: 0x87 is about the token", () => {
  const { start } = arrange();
  start().learn("method", now);
  const form = new AuthenticationForm(5, start());
  form.recall(now);

  assert.equal(form.refused(0x87), false);
  assert.equal(form.name, "method");
});

test("another bridge is not held to it, nor is this one after a month, nor when the clock went back as far", () => {
  const { start } = arrange();
  start().learn("password", now);

  const recalled = [
    start("other.example:8883").recall(now),
    start().recall(now + rememberedSecondsMax + 1),
    start().recall(now - rememberedSecondsMax - 1),
    start().recall(now + rememberedSecondsMax),
  ];

  assert.deepEqual(recalled, [undefined, undefined, undefined, "password"]);
});

test("it is written when it changes and not at each acceptance", () => {
  const { start, writesTimes } = arrange();
  const memory = start();
  memory.recall(now);

  for (let i = 0; i < 1_000; i++) memory.learn("method", now + i);
  const again = start();
  again.recall(now);
  again.learn("method", now);

  assert.equal(writesTimes(), 1);
});

test("a value that is cut short, of another version or with any bit flipped where it counts is as good as none", () => {
  const { start, values } = arrange();
  start().learn("password", now);
  const value = values.get(rememberedKey) ?? new Uint8Array();
  assert.ok(value.length > 0 && value.length <= smallValueBytesMax);
  assert.match(rememberedKey, /^[A-Za-z0-9-]{1,15}$/);

  for (let length = 0; length < value.length; length++) {
    values.set(rememberedKey, value.slice(0, length));
    assert.equal(start().recall(now), undefined);
  }
  // Version and bridge; the form itself may be either, and the date is bounded by the test above.
  for (const i of [0, 2, 3, 4, 5, 6, 7, 8, 9]) {
    const flipped = value.slice();
    flipped[i] = (flipped[i] ?? 0) ^ 1;
    values.set(rememberedKey, flipped);
    assert.equal(start().recall(now), undefined, `byte ${i}`);
  }
  values.set(rememberedKey, value.slice().fill(0xff, 10));
  assert.equal(start().recall(now), undefined, "a date that is no number");
});

test("a store that cannot keep it costs nothing but the memory", async () => {
  const memory = new RememberedForm(
    { read: () => undefined, write: () => Promise.reject(new Error("no room")) },
    sha256,
    "b",
  );

  memory.learn("password", now);
  await Promise.resolve();

  assert.equal(memory.recall(now), undefined);
});
