import assert from "node:assert/strict";
import { test } from "node:test";
import { runHandler, type Verdict } from "./handler-run.ts";

/** Timers that run when told. */
function arrange() {
  const due: { readonly delayMillis: number; readonly run: () => void; isCancelled: boolean }[] = [];
  const verdicts: Verdict[] = [];
  const timers = {
    after(delayMillis: number, run: () => void) {
      const timer = { delayMillis, run, isCancelled: false };
      due.push(timer);
      return () => {
        timer.isCancelled = true;
      };
    },
  };
  return { timers, due, verdicts, settle: (verdict: Verdict) => void verdicts.push(verdict) };
}

test("a handler that answers at once needs no timer", () => {
  const { timers, due, verdicts, settle } = arrange();

  runHandler(timers, () => undefined, 30, settle);
  runHandler(
    timers,
    () => {
      throw new TypeError("no such lamp");
    },
    30,
    settle,
  );

  assert.deepEqual(verdicts, ["taken", { failed: "TypeError" }]);
  assert.equal(due.length, 0);
});

test("a handler that never answers has failed when its time is over, and is not heard afterwards", async () => {
  const { timers, due, verdicts, settle } = arrange();
  let resolve: () => void = () => {};
  runHandler(timers, () => new Promise((done) => (resolve = done)), 30, settle);

  due[0]?.run();
  resolve();
  await new Promise((done) => setImmediate(done));

  assert.equal(due[0]?.delayMillis, 30_000);
  assert.deepEqual(verdicts, [{ failed: "no answer in 30 s" }]);
});

test("a handler that answers in time stops the clock, whether it resolves or rejects", async () => {
  const { timers, due, verdicts, settle } = arrange();

  runHandler(timers, async () => undefined, 30, settle);
  runHandler(timers, () => Promise.reject(new RangeError("too bright")), 30, settle);
  await new Promise((done) => setImmediate(done));

  assert.deepEqual(verdicts, ["taken", { failed: "RangeError" }]);
  assert.deepEqual(
    due.map(({ isCancelled }) => isCancelled),
    [true, true],
  );
});
