import assert from "node:assert/strict";
import { test } from "node:test";
import { type Random, unwrapEnvelope, utf8Decode, utf8Encode } from "@mayfly/core";
import type { OutgoingMessage } from "./outbox.ts";
import type { Durability, OutboxStore, OutboxStoreRefusal } from "./outbox-store.ts";
import { Publisher } from "./publisher.ts";
import { wireDefaults } from "./session/wire-settings.ts";
import type { AgentEvent } from "./status.ts";

const counting = (): Random => {
  let next = 0;
  return { fill: (bytes) => bytes.fill(next++) };
};

/** A store on paper: what it was given, and what it says. */
class PaperStore implements OutboxStore {
  readonly trouble = undefined;
  readonly appended: number[] = [];
  readonly forgotten: number[] = [];
  refusal: OutboxStoreRefusal | "too_large" | undefined;
  isClosed = false;

  open() {
    return { nextSequence: 7, opening: "2", damaged: 1 };
  }
  findRefusal() {
    return this.refusal;
  }
  append(sequence: number, _record: Uint8Array, kept: (durability: Durability) => void): void {
    this.appended.push(sequence);
    queueMicrotask(() => kept("durable"));
  }
  forget(sequence: number): void {
    this.forgotten.push(sequence);
  }
  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

function setUp(
  options: {
    envelope?: boolean;
    store?: OutboxStore;
    messagesMax?: number;
    whenFull?: "refuse" | "drop-oldest";
  } = {},
) {
  const { envelope = false, store, messagesMax = 10, whenFull = "refuse" } = options;
  const events: AgentEvent[] = [];
  const publisher = new Publisher(
    { device: "lamp", outbox: { messagesMax, bytesMax: 10_000, whenFull }, envelope, wire: wireDefaults },
    {
      random: counting(),
      timers: { after: () => () => {} },
      ...(store === undefined ? undefined : { outbox: store }),
    },
    (event) => events.push(event),
    () => {},
  );
  const sent: { message: OutgoingMessage; key: number }[] = [];
  const connection = {
    mayPublish: () => true,
    publish: (message: OutgoingMessage, key: number) => {
      sent.push({ message, key });
      return "written" as const;
    },
  };
  return { publisher, events, sent, give: () => publisher.give(connection) };
}

const payload = utf8Encode("21.5");

test("without a store a message has no id of the agent's, and is as durable as memory", async () => {
  const { publisher, sent, give } = setUp();

  const answer = publisher.takeEvent(payload, {});
  give();

  assert.ok(answer.kind === "accepted");
  assert.equal(answer.messageId, undefined);
  assert.equal(await answer.durable, "memory");
  assert.deepEqual(sent[0]?.message, { topic: "/devices/lamp/events", payload, qos: 1 });
});

test("with a store every QoS 1 message has an id that no restart gives again; the caller's own is kept", () => {
  const { publisher } = setUp({ store: new PaperStore() });
  const other = setUp({ store: new PaperStore() });

  const first = publisher.takeEvent(payload, {});
  const second = publisher.takeEvent(payload, {});
  const own = publisher.takeEvent(payload, { messageId: "mine" });
  const state = publisher.takeState(payload);

  const ids = [first, second, own, state].map((answer) =>
    answer.kind === "accepted" ? answer.messageId : "",
  );
  assert.deepEqual(ids, ["2.AAAAAAAA.1", "2.AAAAAAAA.2", "mine", "2.AAAAAAAA.3"]);
  assert.equal(other.publisher.takeEvent(payload, { qos: 0 }).kind, "accepted");
});

test("a store is given what is QoS 1, under its sequence, and told when it is settled", async () => {
  const store = new PaperStore();
  const { publisher, sent, give } = setUp({ store });

  const answer = publisher.takeEvent(payload, {});
  const fleeting = publisher.takeEvent(payload, { qos: 0 });
  give();
  publisher.takeAnswer(sent[0]?.key ?? -1, 0);

  assert.ok(answer.kind === "accepted" && fleeting.kind === "accepted");
  assert.deepEqual([await answer.durable, await fleeting.durable], ["durable", "memory"]);
  assert.deepEqual([store.appended, store.forgotten], [[7], [7]]);
});

test("what the store does not take is refused with its reason, and nothing of it stays", () => {
  const store = new PaperStore();
  const { publisher } = setUp({ store });

  for (const refusal of ["outbox_disk_full", "outbox_disk_failed", "outbox_busy"] as const) {
    store.refusal = refusal;
    assert.deepEqual(publisher.takeEvent(payload, {}), { kind: "refused", because: refusal });
    assert.equal(publisher.postEvent(payload, {}), refusal);
  }
  store.refusal = "too_large";
  assert.deepEqual(publisher.takeEvent(payload, {}), { kind: "refused", because: "message_too_large" });

  assert.deepEqual([publisher.counts.queuedMessages, publisher.counts.refused], [0, 7]);
  assert.deepEqual(store.appended, []);
});

test("to drop its oldest, a full outbox takes the new message; the old one is told, counted and forgotten", async () => {
  const store = new PaperStore();
  const { publisher, events } = setUp({ store, messagesMax: 2, whenFull: "drop-oldest" });
  const first = publisher.takeEvent(payload, { messageId: "first" });
  publisher.takeEvent(payload, {});

  const third = publisher.takeEvent(payload, {});

  assert.ok(first.kind === "accepted");
  assert.equal(third.kind, "accepted");
  assert.deepEqual(await first.outcome, { kind: "dropped" });
  assert.deepEqual(events, [{ kind: "message_dropped", messageId: "first" }]);
  assert.equal(publisher.counts.dropped, 1);
  assert.deepEqual(store.forgotten, [7]);
});

test("an envelope carries the id that MQTT 5 carries beside it, and the payload", () => {
  const { publisher, sent, give } = setUp({ envelope: true });

  publisher.takeEvent(payload, { qos: 0 });
  give();

  const message = sent[0]?.message;
  const opened = unwrapEnvelope(message?.payload ?? new Uint8Array());
  assert.equal(opened?.messageId, "AAAAAAAA.1");
  assert.equal(message?.messageId, "AAAAAAAA.1");
  assert.equal(utf8Decode(opened?.payload ?? new Uint8Array()), "21.5");
});

test("posting costs no promise and is otherwise as publishing", () => {
  const { publisher, sent, give } = setUp();

  const answer = publisher.postEvent(payload, { subfolder: "alarm" });
  const refused = publisher.postEvent(payload, { subfolder: "not a word" });
  give();

  assert.deepEqual([answer, refused], ["accepted", "subfolder_malformed"]);
  assert.equal(sent[0]?.message.topic, "/devices/lamp/events/alarm");
});

test("what a store had kept is told once, damage and all", () => {
  const { publisher, events } = setUp({ store: new PaperStore() });

  publisher.tellOpening();
  publisher.tellOpening();

  assert.deepEqual(events, [{ kind: "outbox_opened", messages: 0, damaged: 1 }]);
});

test("a message that is larger than the bridge takes is settled as refused and does not hold up the next", async () => {
  const { publisher, events } = setUp();
  const large = publisher.takeEvent(payload, { messageId: "large" });
  publisher.takeEvent(payload, {});
  let given = 0;

  publisher.give({
    mayPublish: () => true,
    publish: () => {
      given += 1;
      return given === 1 ? "too_large" : "written";
    },
  });

  assert.ok(large.kind === "accepted");
  assert.deepEqual(await large.outcome, { kind: "refused", reasonCode: 0x95 });
  assert.deepEqual(events, [{ kind: "message_refused", messageId: "large", reasonCode: 0x95 }]);
  assert.equal(given, 2);
});

test("closing closes the store before what waits is answered", async () => {
  const store = new PaperStore();
  const { publisher } = setUp({ store });
  const answer = publisher.takeEvent(payload, {});

  publisher.close();

  assert.ok(store.isClosed && answer.kind === "accepted");
  assert.deepEqual(await answer.outcome, { kind: "stopped" });
});
