import assert from "node:assert/strict";
import { test } from "node:test";
import { KeepAlive, pingAnswerMillisMax } from "./keep-alive.ts";

for (const seconds of [1, 5, 13, 60, 1_200, 65_535]) {
  test(`a link that goes silent is found within one and a half keep-alives of ${seconds} s`, () => {
    const keepAlive = new KeepAlive();
    keepAlive.set(seconds);
    keepAlive.sent(0);
    keepAlive.received(0);

    const pingMillis = keepAlive.dueMillis ?? Number.NaN;
    assert.equal(keepAlive.judge(pingMillis), "ping");
    keepAlive.sent(pingMillis);
    const deadMillis = keepAlive.dueMillis ?? Number.NaN;

    assert.equal(keepAlive.judge(deadMillis - 1), "fine");
    assert.equal(keepAlive.judge(deadMillis), "dead");
    assert.ok(pingMillis < seconds * 1_000 && deadMillis <= seconds * 1_500, `${pingMillis} ${deadMillis}`);
    assert.ok(deadMillis - pingMillis <= pingAnswerMillisMax);
  });
}

test("a link on which only we speak is asked whether anybody listens", () => {
  const keepAlive = new KeepAlive();
  keepAlive.set(60);
  keepAlive.received(0);
  for (let at = 0; at < 45_000; at += 1_000) keepAlive.sent(at);

  assert.equal(keepAlive.judge(45_000), "ping");
});
