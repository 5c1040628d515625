import assert from "node:assert/strict";
import { test } from "node:test";
import type { IntakeOutcome } from "./intake.ts";
import { RecentMessages, recentMessagesMax, repeatMillisMax } from "./recent-messages.ts";

const durable: IntakeOutcome = { kind: "durable", messageId: "17" };
const refused: IntakeOutcome = { kind: "refused", because: "disk_full" };

function message(deviceMessageId: string, text = "21.5", deviceNumId = "2", subfolder = "") {
  return { deviceNumId, deviceMessageId, subfolder, payload: new TextEncoder().encode(text) };
}

function noted() {
  const outcomes: IntakeOutcome[] = [];
  return { outcomes, done: (outcome: IntakeOutcome) => void outcomes.push(outcome) };
}

test("a repeat of what is under way is answered after the first, and with its outcome", () => {
  const order: string[] = [];
  const recent = new RecentMessages();
  const settle = recent.take(message("a"), 0, ({ kind }) => void order.push(`first ${kind}`));

  const repeat = recent.take(message("a"), 1, ({ kind }) => void order.push(`repeat ${kind}`));
  const before = [...order];
  settle?.(durable);

  assert.deepEqual([repeat, before], [undefined, []]);
  assert.deepEqual(order, ["first durable", "repeat durable"]);
});

test("a repeat of what is durable is answered with the first one's id, not before the call returns", async () => {
  const recent = new RecentMessages();
  recent.take(message("a"), 0, () => undefined)?.(durable);
  const { outcomes, done } = noted();

  const repeat = recent.take(message("a"), repeatMillisMax - 1, done);
  const atOnce = outcomes.length;
  await Promise.resolve();

  assert.deepEqual([repeat, atOnce, outcomes], [undefined, 0, [durable]]);
});

test("a first that was refused refuses its repeats, and the next copy is a first again", () => {
  const recent = new RecentMessages();
  const { outcomes, done } = noted();
  const settle = recent.take(message("a"), 0, () => undefined);
  recent.take(message("a"), 1, done);

  settle?.(refused);

  assert.deepEqual([outcomes, recent.size], [[refused], 0]);
  assert.notEqual(
    recent.take(message("a"), 2, () => undefined),
    undefined,
  );
});

test("another device, another id, another payload and another subfolder are no repeat", () => {
  const recent = new RecentMessages();
  recent.take(message("a"), 0, () => undefined)?.(durable);

  const others = [
    message("a", "21.5", "3"),
    message("b"),
    message("a", "21.6"),
    message("a", "21.6", "2", "x"),
  ];

  for (const other of others) {
    assert.notEqual(
      recent.take(other, 1, () => undefined),
      undefined,
    );
  }
});

test("after ten minutes it is a new message, and what is older is forgotten", () => {
  const recent = new RecentMessages();
  for (const id of ["a", "b", "c"]) recent.take(message(id), 0, () => undefined)?.(durable);

  const later = recent.take(message("a"), repeatMillisMax, () => undefined);

  assert.notEqual(later, undefined);
  assert.equal(recent.size, 1);
});

test("no more are remembered than the maximum, and one that was forgotten under way still answers all", () => {
  const recent = new RecentMessages();
  const { outcomes, done } = noted();
  const settle = recent.take(message("first"), 0, done);
  recent.take(message("first"), 0, done);

  for (let n = 0; n < recentMessagesMax; n += 1) recent.take(message(`${n}`, ""), 0, () => undefined);
  const again = recent.take(message("first"), 0, () => undefined);
  settle?.(refused);

  assert.equal(recent.size, recentMessagesMax);
  assert.notEqual(again, undefined);
  assert.deepEqual(outcomes, [refused, refused]);
  // The copy taken anew meanwhile is the one that counts now.
  assert.equal(
    recent.take(message("first"), 0, () => undefined),
    undefined,
  );
});
