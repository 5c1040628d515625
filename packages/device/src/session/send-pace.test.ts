import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { burstMillis, SendPace } from "./send-pace.ts";

test("a fifth of a second's messages may go at once, and the next when there is room for one", () => {
  const pace = new SendPace({ messagesPerSecond: 100, bytesPerSecond: 1_000_000 });
  let sent = 0;

  while (pace.readyMillis <= 5_000) {
    pace.sent(10, 5_000);
    sent += 1;
  }

  assert.equal(sent, 20);
  assert.equal(pace.readyMillis, 5_010);
});

test("one large message may go at once, and what follows waits for its bytes", () => {
  const pace = new SendPace({ messagesPerSecond: 100, bytesPerSecond: 1_000 });

  pace.sent(3_000, 0);

  assert.equal(pace.readyMillis, 3_000 - burstMillis);
});

test("whatever is sent when it may be, no second has more than a fifth above the rate", () => {
  const steps = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 200 }), (pauses, messagesPerSecond) => {
      const pace = new SendPace({ messagesPerSecond, bytesPerSecond: 1_000_000 });
      const sentAt: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        while (pace.readyMillis <= now && sentAt.length < 2_000) {
          pace.sent(1, now);
          sentAt.push(now);
        }
      }

      const most = Math.max(
        ...sentAt.map((at) => sentAt.filter((one) => one >= at && one < at + 1_000).length),
      );

      assert.ok(most <= Math.ceil(messagesPerSecond * 1.2) + 1, `${most} in a second`);
    }),
  );
});
