/**
 * Random interleavings against an oracle that shares no code with the engine: MQTT's standard and the design, in
 * a bookkeeping of its own (`oracle/`). A seed that fails prints the line that plays it again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "./run-seed.ts";

/** 100,000 steps in all; each step is one event played. */
const parts = 4;
const seedsPerPart = 250;

for (let part = 0; part < parts; part++) {
  test(`no interleaving of sockets, closes, PUBACKs, takeovers and late stores breaks a promise (part ${part + 1} of ${parts})`, async () => {
    for (let seed = part * seedsPerPart; seed < (part + 1) * seedsPerPart; seed++) {
      const { failure } = await runSeed(seed);
      if (failure === undefined) continue;
      const again = `node packages/server/test/interleavings/run.ts --from ${seed} --seeds 1`;
      assert.fail(`${failure.story.join("\n")}\n${failure.error}\nstep ${failure.step}; again: ${again}`);
    }
  });
}
