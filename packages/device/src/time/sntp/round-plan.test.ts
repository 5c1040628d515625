/** The plan of a round: whom it asks next, and its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openMillisMax } from "../datagram-exchange.ts";
import { answerMillisMax, planRound, roundMillisMax } from "./round-plan.ts";

const due = (dueMillis: number, isDone = false) => ({ isDone, limit: { dueMillis } });
const never = Number.NEGATIVE_INFINITY;

test("servers that were never asked are asked in their order", () => {
  assert.deepEqual(planRound([due(never, true), due(never), due(never)], 0, 50), { kind: "ask", server: 1 });
});

test("the one that has waited longest is asked first", () => {
  assert.deepEqual(planRound([due(40), due(30), due(35)], 0, 50), { kind: "ask", server: 1 });
});

test("when nobody may be asked yet, the wait is for the first who may", () => {
  assert.deepEqual(planRound([due(2_100), due(2_000)], 0, 50), { kind: "wait", millis: 1_950 });
});

test("when all are done, or told to stop, the round is over", () => {
  assert.deepEqual(planRound([due(0, true), due(Number.POSITIVE_INFINITY)], 0, 50), { kind: "end" });
  assert.deepEqual(planRound([], 0, 50), { kind: "end" });
});

test("nobody is asked, or waited for, whose answer could come after the round's 24 s", () => {
  const lastStart = roundMillisMax - openMillisMax - answerMillisMax;

  assert.deepEqual(planRound([due(0)], 1_000, 1_000 + lastStart), { kind: "ask", server: 0 });
  assert.deepEqual(planRound([due(0)], 1_000, 1_000 + lastStart + 1), { kind: "end" });
  assert.equal(planRound([due(1_000 + lastStart)], 1_000, 1_000).kind, "wait");
  assert.deepEqual(planRound([due(1_000 + lastStart + 1)], 1_000, 1_000), { kind: "end" });
  assert.equal(roundMillisMax, 24_000);
});

test("whatever the servers' limits, each step asks one who may be asked, and an exchange ends within the round", () => {
  const server = fc.record({ isDone: fc.boolean(), dueMillis: fc.integer({ min: -1_000, max: 100_000 }) });
  fc.assert(
    fc.property(fc.array(server, { maxLength: 4 }), fc.nat({ max: 30_000 }), (servers, now) => {
      const step = planRound(
        servers.map(({ isDone, dueMillis }) => due(dueMillis, isDone)),
        0,
        now,
      );

      if (step.kind === "wait") assert.ok(step.millis > 0 && now + step.millis < roundMillisMax);
      if (step.kind !== "ask") return;
      const asked = servers[step.server];
      assert.ok(asked !== undefined && !asked.isDone && asked.dueMillis <= now);
      assert.ok(now + openMillisMax + answerMillisMax <= roundMillisMax);
    }),
  );
});
