import assert from "node:assert/strict";
import { test } from "node:test";
import type { PulledMessage } from "@mayfly/core/admin";
import { readDeliveries } from "./delivery.ts";

const subscription = { project: "mayfly", subscription: "demo" };

function pulled(device: string, payload: unknown, ackId: string): PulledMessage {
  return {
    ackId,
    deliveryAttempt: 1,
    message: {
      data: Buffer.from(JSON.stringify(payload)).toString("base64"),
      attributes: { deviceId: device },
      messageId: ackId,
      publishTime: "2026-01-01T00:00:00Z",
    },
  };
}

/** Answers the pulls in turn, then ends the reading. */
function scriptedClient(answers: readonly (readonly PulledMessage[] | Error)[]) {
  const stop = new AbortController();
  const acknowledged: string[] = [];
  let turn = 0;
  const client = {
    async pull() {
      const answer = answers[turn++];
      if (answer === undefined) {
        stop.abort();
        return [];
      }
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async acknowledge(_: unknown, ackIds: readonly string[]) {
      acknowledged.push(...ackIds);
    },
  };
  return { client, acknowledged, stop: stop.signal };
}

test("messages of this run are delivered, those of others only acknowledged", async () => {
  const { client, acknowledged, stop } = scriptedClient([
    [pulled("a", { run: "now", sequence: 1 }, "1"), pulled("a", { run: "before", sequence: 9 }, "2")],
    [pulled("b", "no object", "3"), pulled("b", { run: "now", sequence: 2 }, "4")],
  ]);
  const delivered: [string, number][] = [];

  await readDeliveries({ client, sleep: async () => {} }, { subscription, run: "now", stop }, (...message) =>
    delivered.push(message),
  );

  assert.deepEqual(delivered, [
    ["a", 1],
    ["b", 2],
  ]);
  assert.deepEqual(acknowledged, ["1", "2", "3", "4"]);
});

test("a call that fails is made again after a pause", async () => {
  const { client, stop } = scriptedClient([
    new Error("broken"),
    [pulled("a", { run: "now", sequence: 1 }, "1")],
  ]);
  const pauses: number[] = [];
  let count = 0;

  await readDeliveries(
    { client, sleep: async (millis) => void pauses.push(millis) },
    { subscription, run: "now", stop },
    () => {
      count += 1;
    },
  );

  assert.equal(count, 1);
  assert.deepEqual(pauses, [500]);
});
