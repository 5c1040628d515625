/**
 * One text of vectors, three engines: V8 from the sources, XS and QuickJS from the bundle. Byte for byte the same.
 *
 * That V8's text is right is shown elsewhere (published vectors, OpenSSL, mqtt-packet); here only that a device says
 * the same.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { getQuickJS } from "quickjs-emscripten";
import { requireService } from "../../tools/services.ts";
import { bundle } from "./bundle.ts";
import { vectors } from "./inside/vectors.ts";
import { XsWorker } from "./xs-worker.ts";

/** Fewer would be a text that lost a part on the way. */
const linesMin = 100;

function assertSame(actual: string, expected: string): void {
  const theirs = actual.split("\n");
  // A text of thousands of digits in a message helps nobody: the first line that differs does.
  for (const [i, line] of expected.split("\n").entries()) assert.equal(theirs[i], line);
  assert.equal(theirs.length, expected.split("\n").length);
}

test("XS says the same bytes as Node for every codec of the device", async (t) => {
  requireService(t, "xs");
  const expected = await vectors();
  const worker = new XsWorker();
  t.after(() => worker.end());
  await worker.evaluate(await bundle("vectors.ts", "V"));

  await worker.evaluate("V.vectors().then((text) => { globalThis.text = text; }); 1");

  assertSame(String(await worker.valueOf("text")), expected);
  t.diagnostic(
    `${expected.split("\n").length} lines, ${createHash("sha256").update(expected).digest("hex")}`,
  );
});

test("QuickJS says the same bytes as Node for every codec of the device", async () => {
  const expected = await vectors();
  const context = (await getQuickJS()).newContext();
  context.unwrapResult(context.evalCode(await bundle("vectors.ts", "V"))).dispose();

  context
    .unwrapResult(context.evalCode("V.vectors().then((text) => { globalThis.text = text; }); 1"))
    .dispose();
  context.runtime.executePendingJobs();
  const text = context.getProp(context.global, "text").consume((handle) => context.getString(handle));
  context.dispose();

  assertSame(text, expected);
  assert.ok(expected.split("\n").length >= linesMin);
});
