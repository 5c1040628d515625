import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { TelemetryMessage } from "../telemetry/backbone.ts";
import { ApiError } from "./api-error.ts";
import { createTails, TAIL_QUEUE_CHARACTERS_MAX } from "./tail.ts";

const registry = { project: "mayfly", location: "lab", registry: "plant", numId: "11" };

function openTails(tailsMax?: number) {
  const listeners = new Set<(message: TelemetryMessage & { readonly messageId: string }) => void>();
  const tails = createTails(
    {
      backbone: {
        tail(_registry, listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      deviceLog: { follow: () => () => undefined },
      timers: { after: () => () => undefined },
    },
    tailsMax,
  );
  const tell = (payload: Uint8Array, topic?: string) => {
    for (const listener of listeners) {
      listener({
        registry,
        deviceId: "d-1",
        deviceNumId: "1",
        subfolder: "",
        payload,
        publishMs: 0,
        messageId: "m",
        ...(topic === undefined ? {} : { topic }),
      });
    }
  };
  return { tails, listeners, tell };
}

test("what a slow reader misses is counted, and what waits for it is bounded", async () => {
  const { tails, tell } = openTails();
  const tail = tails.open(registry);
  const payload = new Uint8Array(64 * 1024);

  const sent = 100;
  for (let i = 0; i < sent; i++) tell(payload);
  const lines: { kind: string; count?: number }[] = [];
  let text = "";
  tail.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  setImmediate(() => tails.close());
  await once(tail, "end");
  for (const line of text.split("\n")) if (line !== "") lines.push(JSON.parse(line));

  const messages = lines.filter((line) => line.kind === "message").length;
  const dropped = lines.find((line) => line.kind === "dropped")?.count ?? 0;
  assert.equal(messages + dropped, sent);
  assert.ok(dropped > 0 && messages * payload.length < 2 * TAIL_QUEUE_CHARACTERS_MAX);
});

test("a reader that leaves stops listening, and makes room for another", async () => {
  const { tails, listeners } = openTails(1);
  const tail = tails.open(registry);

  assert.throws(
    () => tails.open(registry),
    (error) => error instanceof ApiError && error.status === "RESOURCE_EXHAUSTED",
  );
  tail.destroy();
  await once(tail, "close");

  assert.deepEqual([listeners.size, tails.count()], [0, 0]);
  tails.open(registry).destroy();
});

test("a tail of a topic shows what was routed there, and nothing else", async () => {
  const { tails, tell } = openTails();
  const topic = "projects/mayfly/topics/alerts";
  const tail = tails.open(registry, topic);

  tell(Buffer.from("fire"), topic);
  tell(Buffer.from("other"), "projects/mayfly/topics/other");
  tell(Buffer.from("none"));
  setImmediate(() => tails.close());
  let text = "";
  for await (const chunk of tail) text += String(chunk);

  const shown = text.split("\n").filter((line) => line !== "");
  assert.deepEqual(
    shown.map((line) => JSON.parse(line).message.data),
    [Buffer.from("fire").toString("base64")],
  );
});
