/** Signed time by the bridge's own clock: a machine's clock that steps ends it, until the clock is trusted again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualTime } from "../../test/contract/virtual-ports.ts";
import { request, startMillis, timePorts } from "../../test/time-house.ts";
import { createSelfClock, quietMillis } from "./self-clock.ts";
import { createTimeAnswerer } from "./time-answerer.ts";

test("a step of the machine's clock ends signed time within a second, and quiet brings it back", () => {
  const virtual = new VirtualTime();
  let stepSeconds = startMillis / 1000 - virtual.clock.wallSeconds();
  const clock = {
    monotonicMillis: () => virtual.clock.monotonicMillis(),
    wallSeconds: () => virtual.clock.wallSeconds() + stepSeconds,
  };
  const selfClock = createSelfClock({ clock, timers: virtual.timers, tell: () => {} });
  const answerer = createTimeAnswerer({ ...timePorts(), clock, ownClock: selfClock });
  const ask = () => {
    const outcome = answerer.answer(request, "192.0.2.1", "udp");
    return outcome.kind === "refused" ? outcome.because : outcome.kind;
  };

  const before = ask();
  stepSeconds += 60;
  virtual.advance(1_000);
  const stepped = ask();
  virtual.advance(quietMillis + 1_000);
  const after = ask();
  selfClock.close();

  assert.deepEqual([before, stepped, after], ["answered", "clock_untrusted", "answered"]);
});
