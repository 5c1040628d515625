/**
 * What every backbone promises, case by case. `backbone.test.ts` runs it on each adapter.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackboneCounters } from "../../src/backbone/counters.ts";
import type {
  AppendOutcome,
  Backbone,
  ReceivedMessage,
  TelemetryMessage,
} from "../../src/telemetry/backbone.ts";
import { refusal } from "./registry-store.contract.ts";
import { VirtualTime } from "./virtual-ports.ts";

export type CountingBackbone = Backbone & { counters(): BackboneCounters };
export interface OpenedBackbone {
  readonly backbone: CountingBackbone;
  readonly time: VirtualTime;
}

export const gauges = { project: "mayfly", location: "europe-west1", registry: "gauges", numId: "11" };
export const valves = { ...gauges, registry: "valves", numId: "12" };

export function message(
  deviceId: string,
  text: string,
  over: Partial<TelemetryMessage> = {},
): TelemetryMessage {
  return {
    registry: gauges,
    deviceId,
    deviceNumId: "2820826361193805",
    subfolder: "",
    payload: new TextEncoder().encode(text),
    publishMs: 1_800_000_000_000,
    ...over,
  };
}

/** Appends all in one turn and waits for every answer. */
export async function appendAll(
  { backbone, time }: OpenedBackbone,
  messages: readonly TelemetryMessage[],
): Promise<readonly AppendOutcome[]> {
  const answers = messages.map(
    (one) => new Promise<AppendOutcome>((resolve) => backbone.append(one, resolve)),
  );
  time.advance(0);
  return await Promise.all(answers);
}

export function textOf(received: ReceivedMessage): string {
  return new TextDecoder().decode(received.message.payload);
}

export function backboneContract(
  adapter: string,
  open: (time: VirtualTime) => Promise<CountingBackbone>,
): void {
  const promises = (name: string, run: (opened: OpenedBackbone) => Promise<void>): void => {
    test(`${adapter}: ${name}`, async () => {
      const time = new VirtualTime();
      const backbone = await open(time);
      try {
        await run({ backbone, time });
      } finally {
        await backbone.close();
      }
    });
  };
  const subscribe = (opened: OpenedBackbone, from: "earliest" | "latest" = "earliest", id = "app") =>
    opened.backbone.createSubscription({ id, registry: gauges, leaseSeconds: 60 }, from);
  const pullTexts = async ({ backbone }: OpenedBackbone, max = 1_000): Promise<string[]> =>
    (await backbone.pull("mayfly", "app", max)).map(textOf);

  promises("a message is delivered with all it was appended with, and an id of digits", async (opened) => {
    await subscribe(opened);
    const whole = message("gauge-1", "21.5 °C", {
      subfolder: "räume/eins",
      deviceMessageId: "m-1",
      gatewayId: "gateway-1",
      topic: "projects/mayfly/topics/rooms",
      kind: "state",
      publishMs: 1_800_000_000_000.25,
    });

    const outcomes = await appendAll(opened, [whole, message("gauge-1", "")]);
    const received = await opened.backbone.pull("mayfly", "app", 10);

    const ids = outcomes.map((outcome) => (outcome.kind === "durable" ? outcome.messageId : outcome.because));
    assert.deepEqual(received[0]?.message, { ...whole, messageId: ids[0] });
    assert.deepEqual(received[1]?.message, { ...message("gauge-1", ""), messageId: ids[1] });
    assert.ok(ids.every((id) => /^[0-9]{1,21}$/.test(id)));
    assert.equal(new Set(ids).size, 2);
    assert.equal(received[0]?.deliveryAttempt, 1);
  });

  const toTopic = (opened: OpenedBackbone, topic: string) =>
    opened.backbone.createSubscription({ id: "app", registry: gauges, leaseSeconds: 60, topic }, "earliest");
  const [rooms, roofs] = ["projects/mayfly/topics/rooms", "projects/mayfly/topics/roofs"] as const;

  promises("a subscription to a topic gets what was routed there, and nothing else", async (opened) => {
    const made = await toTopic(opened, rooms);
    await opened.backbone.createSubscription({ id: "all", registry: gauges, leaseSeconds: 60 }, "earliest");
    await appendAll(opened, [
      message("gauge-1", "one", { topic: rooms }),
      message("gauge-1", "two", { topic: roofs }),
      message("gauge-2", "three"),
      message("gauge-1", "four", { topic: rooms }),
    ]);

    assert.equal(made.topic, rooms);
    assert.deepEqual((await pullTexts(opened)).sort(), ["four", "one"]);
    assert.equal((await opened.backbone.pull("mayfly", "all", 10)).length, 4);
  });

  promises(
    "messages of other topics stand in nobody's way, however few are pulled at once",
    async (opened) => {
      await toTopic(opened, rooms);
      const others = Array.from({ length: 2_500 }, (_, n) => message("gauge-1", `o${n}`, { topic: roofs }));
      await appendAll(opened, [...others, message("gauge-1", "mine", { topic: rooms }), ...others]);

      assert.deepEqual(await pullTexts(opened, 1), ["mine"]);
      assert.deepEqual(await pullTexts(opened, 1), []);
      opened.time.advance(61_000);
      const again = await opened.backbone.pull("mayfly", "app", 10);
      assert.deepEqual(again.map(textOf), ["mine"]);
      const ackIds = again.map(({ ackId }) => ackId);
      assert.equal(await opened.backbone.acknowledge("mayfly", "app", ackIds), 1);
      opened.time.advance(61_000);
      assert.deepEqual(await pullTexts(opened, 1), []);
    },
  );

  promises(
    "the answer never comes before append has returned, and the payload is the caller's again",
    async (opened) => {
      await subscribe(opened);
      const payload = new TextEncoder().encode("mine");
      let answered = false;
      const answer = new Promise<void>((resolve) => {
        opened.backbone.append(message("gauge-1", "", { payload }), () => {
          answered = true;
          resolve();
        });
      });
      payload.fill(0);

      assert.equal(answered, false);
      opened.time.advance(0);
      await answer;
      assert.deepEqual(await pullTexts(opened), ["mine"]);
    },
  );

  promises(
    "messages of a device are answered and delivered in the order they were appended",
    async (opened) => {
      await subscribe(opened);
      const order: string[] = [];
      const answers: Promise<void>[] = [];
      for (let n = 0; n < 2_500; n += 1) {
        const device = `gauge-${n % 5}`;
        const label = `${device} ${String(n).padStart(5, "0")}`;
        answers.push(
          new Promise((resolve) =>
            opened.backbone.append(message(device, label), () => {
              order.push(label);
              resolve();
            }),
          ),
        );
      }
      opened.time.advance(0);
      await Promise.all(answers);

      const delivered: string[] = [];
      for (let texts = await pullTexts(opened); texts.length > 0; texts = await pullTexts(opened))
        delivered.push(...texts);

      assert.equal(delivered.length, 2_500);
      for (const labels of [order, delivered]) {
        for (let device = 0; device < 5; device += 1) {
          const own = labels.filter((label) => label.startsWith(`gauge-${device} `));
          assert.deepEqual(own, own.toSorted());
          assert.equal(own.length, 500);
        }
      }
    },
  );

  promises("a subscription sees its own registry only", async (opened) => {
    await subscribe(opened);

    await appendAll(opened, [
      message("gauge-1", "a"),
      message("gauge-1", "b", { registry: valves }),
      message("gauge-1", "c"),
    ]);

    assert.deepEqual(await pullTexts(opened), ["a", "c"]);
  });

  promises(
    "what one registry's subscription has read is never given to another registry's",
    async (opened) => {
      await subscribe(opened);
      await opened.backbone.createSubscription(
        { id: "other", registry: valves, leaseSeconds: 60 },
        "earliest",
      );
      // One device's name in both, so that on disk both may share a partition; one commit after another.
      for (let n = 0; n < 8; n += 1) {
        const registry = n % 2 === 0 ? gauges : valves;
        await appendAll(opened, [message(`gauge-${n >> 1}`, `${registry.registry} ${n}`, { registry })]);
      }

      const others = await opened.backbone.pull("mayfly", "other", 10);
      const own = await opened.backbone.pull("mayfly", "app", 10);

      assert.deepEqual(others.map(textOf).sort(), ["valves 1", "valves 3", "valves 5", "valves 7"]);
      assert.deepEqual(own.map(textOf).sort(), ["gauges 0", "gauges 2", "gauges 4", "gauges 6"]);
    },
  );

  promises("earliest begins at the oldest message kept, latest after the newest", async (opened) => {
    await appendAll(opened, [message("gauge-1", "before")]);
    await subscribe(opened, "earliest", "app");
    await subscribe(opened, "latest", "late");
    await appendAll(opened, [message("gauge-1", "after")]);

    assert.deepEqual(await pullTexts(opened), ["before", "after"]);
    assert.deepEqual((await opened.backbone.pull("mayfly", "late", 10)).map(textOf), ["after"]);
  });

  promises(
    "a leased message is hidden, and comes again with the same id when the lease ends",
    async (opened) => {
      await subscribe(opened);
      await appendAll(opened, [message("gauge-1", "a"), message("gauge-1", "b")]);
      const first = await opened.backbone.pull("mayfly", "app", 1_000);

      assert.deepEqual(await pullTexts(opened), []);
      opened.time.advance(60_000);
      const again = await opened.backbone.pull("mayfly", "app", 1_000);

      assert.deepEqual(again.map(textOf), ["a", "b"]);
      assert.equal(again[0]?.message.messageId, first[0]?.message.messageId);
      assert.notEqual(again[0]?.ackId, first[0]?.ackId);
      assert.equal(again[0]?.deliveryAttempt, 2);
      assert.equal(opened.backbone.counters().redelivered, 2);
    },
  );

  promises("what is acknowledged does not come again, and the rest does", async (opened) => {
    await subscribe(opened);
    await appendAll(
      opened,
      ["a", "b", "c"].map((text) => message("gauge-1", text)),
    );
    const received = await opened.backbone.pull("mayfly", "app", 10);
    const middle = received[1]?.ackId ?? "";

    const effective = await opened.backbone.acknowledge("mayfly", "app", [middle, middle]);

    assert.equal(effective, 1);
    opened.time.advance(60_000);
    assert.deepEqual(await pullTexts(opened), ["a", "c"]);
  });

  promises("an unknown, a repeated and a late acknowledgement are ignored and counted", async (opened) => {
    await subscribe(opened);
    await appendAll(opened, [message("gauge-1", "a"), message("gauge-1", "b")]);
    const [a, b] = await opened.backbone.pull("mayfly", "app", 10);
    await opened.backbone.acknowledge("mayfly", "app", [a?.ackId ?? ""]);
    opened.time.advance(60_000);

    const effective = await opened.backbone.acknowledge("mayfly", "app", [
      a?.ackId ?? "",
      b?.ackId ?? "",
      "",
      "x.y",
    ]);

    assert.equal(effective, 0);
    assert.equal(opened.backbone.counters().lateAcks, 4);
    assert.deepEqual(await pullTexts(opened), ["b"]);
  });

  promises("a lease is given up with 0 and prolonged with more", async (opened) => {
    await subscribe(opened);
    await appendAll(opened, [message("gauge-1", "a"), message("gauge-1", "b")]);
    const [a, b] = await opened.backbone.pull("mayfly", "app", 10);

    assert.equal(await opened.backbone.modifyLease("mayfly", "app", [a?.ackId ?? ""], 0), 1);
    assert.deepEqual(await pullTexts(opened), ["a"]);
    assert.equal(await opened.backbone.modifyLease("mayfly", "app", [b?.ackId ?? ""], 600), 1);
    opened.time.advance(61_000);
    assert.deepEqual(await pullTexts(opened), ["a"]);
  });

  promises("pulls smaller than a batch deliver each message once", async (opened) => {
    await subscribe(opened);
    await appendAll(
      opened,
      Array.from({ length: 25 }, (_, n) => message(`gauge-${n}`, `${n}`)),
    );

    const pulls = await Promise.all(Array.from({ length: 8 }, () => pullTexts(opened, 4)));

    const texts = pulls.flat();
    assert.equal(texts.length, 25);
    assert.equal(new Set(texts).size, 25);
    assert.ok(pulls.every((pull) => pull.length <= 4));
  });

  promises(
    "at most 1,000 come in a pull and 100,000 are delivered at once; an acknowledged one makes room",
    async (opened) => {
      await subscribe(opened);
      const tiny = message("gauge-1", "");
      await appendAll(opened, new Array<TelemetryMessage>(60_000).fill(tiny));
      await appendAll(opened, new Array<TelemetryMessage>(40_001).fill(tiny));
      const pull = () => opened.backbone.pull("mayfly", "app", 5_000);

      const [first] = await pull();
      let delivered = 1_000;
      for (let received = await pull(); received.length > 0; received = await pull()) {
        assert.ok(received.length <= 1_000);
        delivered += received.length;
      }
      await opened.backbone.acknowledge("mayfly", "app", [first?.ackId ?? ""]);
      const next = await pull();

      assert.equal(delivered, 100_000);
      assert.equal(next.length, 1);
    },
  );

  promises(
    "subscriptions are unique in their project, listed, found, and gone when deleted",
    async (opened) => {
      const { backbone } = opened;
      await subscribe(opened);
      await assert.rejects(subscribe(opened), refusal("already_exists"));
      await subscribe(opened, "earliest", "zzz");

      assert.equal((await backbone.findSubscription("mayfly", "app"))?.leaseSeconds, 60);
      assert.deepEqual(
        (await backbone.listSubscriptions("mayfly")).map((one) => one.id),
        ["app", "zzz"],
      );
      assert.deepEqual(await backbone.listSubscriptions("other"), []);
      await backbone.deleteSubscription("mayfly", "app");
      assert.equal(await backbone.findSubscription("mayfly", "app"), undefined);
      for (const gone of [
        backbone.pull("mayfly", "app", 1),
        backbone.acknowledge("mayfly", "app", []),
        backbone.modifyLease("mayfly", "app", [], 0),
        backbone.deleteSubscription("mayfly", "app"),
      ]) {
        await assert.rejects(gone, refusal("not_found"));
      }
    },
  );

  promises(
    "hints and live tails come after the message is durable, until they are stopped",
    async (opened) => {
      const seen: string[] = [];
      const stopHint = opened.backbone.onDurable(gauges, () => seen.push("hint"));
      const stopTail = opened.backbone.tail(gauges, (one) =>
        seen.push(new TextDecoder().decode(one.payload)),
      );
      await appendAll(opened, [
        message("gauge-1", "a"),
        message("gauge-1", "b"),
        message("v", "x", { registry: valves }),
      ]);
      // One more round, so that whatever is told of the first has been told.
      await appendAll(opened, [message("v", "y", { registry: valves })]);
      stopHint();
      stopTail();
      await appendAll(opened, [message("gauge-1", "c")]);

      assert.deepEqual(
        seen.filter((one) => one !== "hint"),
        ["a", "b"],
      );
      assert.ok(seen.includes("hint"));
    },
  );

  promises("retention by age removes what is older, and counts what nobody had read", async (opened) => {
    await subscribe(opened);
    opened.backbone.setRetention(gauges, { ageSeconds: 3_600, bytes: 1e9 });
    await appendAll(
      opened,
      ["a", "b", "c"].map((text) => message("gauge-1", text, { publishMs: opened.time.nowMs })),
    );
    const [a] = await opened.backbone.pull("mayfly", "app", 1);
    await opened.backbone.acknowledge("mayfly", "app", [a?.ackId ?? ""]);
    opened.time.advance(3_000_000);
    await appendAll(opened, [message("gauge-1", "young", { publishMs: opened.time.nowMs })]);
    opened.time.advance(660_000);

    // The timer's own sweeps may have been first: the sum of what is gone is what counts.
    await opened.backbone.sweep();

    assert.deepEqual(await pullTexts(opened), ["young"]);
    assert.equal(opened.backbone.counters().removedUnread, 2);
  });

  promises("one sweep removes all that is old, however many commits brought it", async (opened) => {
    await subscribe(opened);
    opened.backbone.setRetention(gauges, { ageSeconds: 3_600, bytes: 1e9 });
    for (let n = 0; n < 130; n += 1) {
      await appendAll(opened, [message("gauge-1", "old", { publishMs: opened.time.nowMs - 3_700_000 })]);
    }
    await appendAll(opened, [message("gauge-1", "young", { publishMs: opened.time.nowMs })]);

    const removed = await opened.backbone.sweep();

    assert.deepEqual([removed, await pullTexts(opened)], [130, ["young"]]);
  });

  promises("retention by size removes the oldest first", async (opened) => {
    opened.backbone.setRetention(gauges, { ageSeconds: 1e9, bytes: 60_000 });
    for (let n = 0; n < 20; n += 1) {
      await appendAll(opened, [message("gauge-1", String(n).padEnd(10_000))]);
    }

    const removed = await opened.backbone.sweep();
    await subscribe(opened);
    const kept = (await pullTexts(opened)).map((text) => Number(text));

    assert.equal(removed + kept.length, 20);
    assert.ok(kept.length >= 5 && kept.length <= 6);
    assert.deepEqual(
      kept,
      kept.toSorted((x, y) => x - y),
    );
    assert.equal(kept.at(-1), 19);
  });

  promises("a registry without a retention keeps seven days", async (opened) => {
    await subscribe(opened);
    const dayMs = 86_400_000;
    const old = message("gauge-1", "old", { publishMs: opened.time.nowMs - 7 * dayMs - 1 });
    await appendAll(opened, [old]);
    await appendAll(opened, [message("gauge-1", "kept", { publishMs: opened.time.nowMs - 7 * dayMs + 1 })]);

    assert.equal(await opened.backbone.sweep(), 1);
    assert.deepEqual(await pullTexts(opened), ["kept"]);
  });

  promises(
    "a removed registry's messages and subscriptions are gone, and no other registry's are",
    async (opened) => {
      const { backbone } = opened;
      await subscribe(opened);
      await backbone.createSubscription({ id: "other", registry: valves, leaseSeconds: 60 }, "earliest");
      for (const registry of [gauges, valves]) {
        await appendAll(opened, [
          message("gauge-1", "a", { registry }),
          message("gauge-2", "b", { registry }),
        ]);
      }
      const [first] = await backbone.pull("mayfly", "app", 1);
      await backbone.acknowledge("mayfly", "app", [first?.ackId ?? ""]);

      await backbone.removeRegistry(gauges);
      await backbone.removeRegistry(gauges);

      assert.deepEqual(await backbone.listRegistries(), [valves]);
      await assert.rejects(backbone.pull("mayfly", "app", 1), refusal("not_found"));
      const left = await backbone.listSubscriptions("mayfly");
      assert.deepEqual(
        left.map((one) => one.id),
        ["other"],
      );
      assert.equal((await backbone.pull("mayfly", "other", 10)).length, 2);
      await subscribe(opened, "earliest");
      assert.deepEqual(await pullTexts(opened), []);
    },
  );

  promises(
    "a registry made anew under a removed one's name keeps its own events, and never has the old ones",
    async (opened) => {
      const { backbone } = opened;
      const anew = { ...gauges, numId: "13" };
      await appendAll(opened, [message("gauge-1", "old")]);
      await backbone.createSubscription({ id: "new", registry: anew, leaseSeconds: 60 }, "earliest");
      await appendAll(opened, [message("gauge-1", "new", { registry: anew })]);

      await backbone.removeRegistry(gauges);
      await appendAll(opened, [
        message("gauge-1", "straggler"),
        message("gauge-1", "newer", { registry: anew }),
      ]);

      assert.deepEqual((await backbone.pull("mayfly", "new", 10)).map(textOf), ["new", "newer"]);
    },
  );

  promises("a registry is known by its messages, and by its subscriptions alone", async (opened) => {
    await subscribe(opened);
    await appendAll(opened, [message("gauge-1", "a", { registry: valves })]);

    const known = await opened.backbone.listRegistries();

    assert.deepEqual(
      known.toSorted((a, b) => (a.numId < b.numId ? -1 : 1)),
      [gauges, valves],
    );
  });

  promises(
    "the message over the bound of what may wait is refused queue_full, and taken once there is room",
    async (opened) => {
      const tiny = message("gauge-1", "");
      const outcomes: AppendOutcome[] = [];
      const all = new Promise<void>((resolve) => {
        const done = (outcome: AppendOutcome): void => {
          outcomes.push(outcome);
          if (outcomes.length === 100_001) resolve();
        };
        for (let n = 0; n < 100_001; n += 1) opened.backbone.append(tiny, done);
      });
      assert.equal(opened.backbone.status().queuedMessages, 100_000);
      opened.time.advance(0);
      await all;

      const refused = outcomes.filter((outcome) => outcome.kind === "refused");
      assert.deepEqual(refused, [{ kind: "refused", because: "queue_full" }]);
      const [later] = await appendAll(opened, [tiny]);
      assert.equal(later?.kind, "durable");
      assert.deepEqual(
        [opened.backbone.status().queuedMessages, opened.backbone.status().queuedBytes],
        [0, 0],
      );
    },
  );

  promises("bytes that wait are bounded too", async (opened) => {
    const payload = new Uint8Array(256 * 1024);
    const big = Array.from({ length: 257 }, (_, n) => message(`gauge-${n}`, "", { payload }));

    const outcomes = await appendAll(opened, big);

    const refused = outcomes.filter((outcome) => outcome.kind === "refused");
    assert.ok(refused.length >= 1 && refused.length <= 3);
    assert.ok(refused.every((outcome) => outcome.because === "queue_full"));
  });

  promises("closing makes what waits durable, and refuses what comes after", async (opened) => {
    const last = new Promise<AppendOutcome>((resolve) =>
      opened.backbone.append(message("gauge-1", "last"), resolve),
    );

    await opened.backbone.close();
    const after = appendAll(opened, [message("gauge-1", "after")]);

    assert.equal((await last).kind, "durable");
    assert.deepEqual(await after, [{ kind: "refused", because: "closed" }]);
    await assert.rejects(opened.backbone.pull("mayfly", "app", 1), refusal("closed"));
    assert.equal(opened.backbone.status().healthy, false);
  });
}
