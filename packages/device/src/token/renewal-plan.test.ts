import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "@mayfly/core";
import { RenewalPlan } from "./renewal-plan.ts";
import type { DeviceToken } from "./token-keeper.ts";

const zeros: Random = { fill: (bytes) => bytes.fill(0) };
const settings = { firstRenewalAfterSeconds: undefined, pauseMillis: 5_500 };

/** Minted at 10 s of the monotonic clock, which is 1,000,000 s of our wall clock. */
const token: DeviceToken = {
  keyId: "key-1",
  text: "a.b.c",
  iat: 1_000_000,
  exp: 1_003_600,
  mintedMillis: 10_000,
  expiresMillis: 3_610_000,
  safeMillis: 3_610_000,
};
const window = { renewFrom: 1_002_000, renewUntil: 1_002_100 };

function planned(): RenewalPlan {
  const plan = new RenewalPlan(settings, zeros);
  plan.minted(token);
  return plan;
}

test("a bridge's window is placed by the bridge's time in the same answer, whatever our wall clock says", () => {
  const plan = planned();

  // The bridge's clock is 500 s behind ours.
  plan.accepted(token, { ...window, serverTime: 999_500 }, 10_200);

  assert.equal(plan.dueMillis, 10_200 + 2_500_000);
  assert.deepEqual(plan.window, { from: 1_002_000, until: 1_002_100 });
});

test("without the bridge's time the window is placed by exp", () => {
  const plan = planned();

  plan.accepted(token, window, 10_200);

  assert.equal(plan.dueMillis, 3_610_000 - 1_600_000);
});

test("without a window the plan is our own", () => {
  const plan = planned();

  plan.accepted(token, {}, 10_200);

  assert.equal(plan.dueMillis, 10_000 + 3_000_000);
  assert.equal(plan.window, undefined);
});

test("the first token alone is renewed at the given second, whatever the bridge wishes", () => {
  const plan = new RenewalPlan({ ...settings, firstRenewalAfterSeconds: 15 }, zeros);
  plan.minted(token);
  plan.accepted(token, window, 10_200);
  const first = plan.dueMillis;

  plan.minted({ ...token, text: "d.e.f" });

  assert.equal(first, 25_000);
  assert.equal(plan.dueMillis, 10_000 + 3_000_000);
});

test("a first renewal that is asked for too late comes at the last instant that is safe", () => {
  const plan = new RenewalPlan({ ...settings, firstRenewalAfterSeconds: 3_600 }, zeros);

  plan.minted({ ...token, safeMillis: 3_600_000 });

  assert.equal(plan.dueMillis, 3_300_000);
});

test("after a refusal the older token is in use again until a newer one is accepted", () => {
  const plan = planned();
  const newer = { ...token, text: "d.e.f" };
  plan.minted(newer);
  plan.refused();
  plan.fallBack(token);
  const fallen = [plan.token, plan.hasFallenBack];
  plan.accepted(token, {}, 3_100_000);
  const reconnected = plan.hasFallenBack;

  plan.minted(newer);
  plan.accepted(newer, {}, 3_200_000);

  assert.deepEqual(fallen, [token, true]);
  assert.equal(reconnected, true);
  assert.equal(plan.hasFallenBack, false);
});
