import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "@mayfly/core";
import type { Verdict } from "../handler-run.ts";
import type { SmallStore } from "../ports.ts";
import type { AgentEvent } from "../status.ts";
import {
  ConfigKeeper,
  type ConfigMessage,
  configAgainMillisFirst,
  configAgainTimesMax,
  configStoreKey,
} from "./config-keeper.ts";

/** A store in memory; `fails` makes the next writings fail. */
function memoryStore() {
  const values = new Map<string, Uint8Array>();
  const store = {
    fails: false,
    read: (key: string) => values.get(key),
    async write(key: string, value: Uint8Array) {
      if (store.fails) throw new Error("the flash is worn");
      values.set(key, value.slice());
    },
  };
  return store;
}

/** A keeper whose application answers by hand. */
function arrange(configStore?: SmallStore) {
  const waits: { readonly delayMillis: number; readonly run: () => void; isCancelled: boolean }[] = [];
  const handed: { readonly text: string; readonly settle: (verdict: Verdict) => void }[] = [];
  const events: AgentEvent[] = [];
  const verdicts: string[] = [];
  let asked = 0;
  const keeper = new ConfigKeeper(
    {
      sha256: { digest: (bytes) => createHash("sha256").update(bytes).digest() },
      timers: {
        after(delayMillis, run) {
          const wait = { delayMillis, run, isCancelled: false };
          waits.push(wait);
          return () => {
            wait.isCancelled = true;
          };
        },
      },
      ...(configStore === undefined ? undefined : { configStore }),
    },
    ({ payload }, settle) => handed.push({ text: utf8Decode(payload), settle }),
    () => {
      asked += 1;
    },
    (event) => events.push(event),
  );
  const take = (text: string, version?: number): void => {
    const message: ConfigMessage = {
      payload: utf8Encode(text),
      ...(version === undefined ? undefined : { version }),
    };
    keeper.take(message, (verdict) => verdicts.push(`${text} ${verdict === "taken" ? verdict : "failed"}`));
  };
  const texts = (): readonly string[] => handed.map(({ text }) => text);
  return { keeper, take, handed, texts, verdicts, events, waits, asked: () => asked };
}

test("a config the application took is acknowledged again without being handed over again", () => {
  const { take, handed, texts, verdicts } = arrange();
  take("on", 3);
  handed[0]?.settle("taken");

  take("on", 3);

  assert.deepEqual(texts(), ["on"]);
  assert.deepEqual(verdicts, ["on taken", "on taken"]);
});

test("without versions the bytes tell one config from another", () => {
  const { take, handed, texts } = arrange();
  take("on");
  handed[0]?.settle("taken");

  take("on");
  take("off");

  assert.deepEqual(texts(), ["on", "off"]);
});

test("an older version is applied and told, with both numbers", () => {
  const { take, handed, texts, events } = arrange();
  take("new", 7);
  handed[0]?.settle("taken");

  take("old", 5);
  handed[1]?.settle("taken");

  assert.deepEqual(texts(), ["new", "old"]);
  assert.deepEqual(
    events.filter(({ kind }) => kind === "config_went_back"),
    [{ kind: "config_went_back", from: 7, to: 5 }],
  );
});

test("a config that failed is not acknowledged, and is asked for again in pauses that double, five times", () => {
  const { take, handed, verdicts, waits, asked } = arrange();
  const delays: number[] = [];

  for (let i = 0; i <= configAgainTimesMax; i++) {
    take("bad", 1);
    handed[i]?.settle({ failed: "TypeError" });
    const wait = waits[i];
    if (wait === undefined) break;
    delays.push(wait.delayMillis);
    wait.run();
  }

  assert.deepEqual(
    delays,
    [1, 2, 4, 8, 16].map((times) => times * configAgainMillisFirst),
  );
  assert.equal(asked(), configAgainTimesMax);
  assert.deepEqual(new Set(verdicts), new Set(["bad failed"]));
});

test("one that is taken after it failed begins the count anew, and what was to be asked for is not", () => {
  const { take, handed, waits } = arrange();
  take("on", 1);
  handed[0]?.settle({ failed: "TypeError" });

  take("on", 2);
  handed[1]?.settle("taken");
  take("off", 3);
  handed[2]?.settle({ failed: "TypeError" });

  assert.equal(waits[0]?.isCancelled, true);
  assert.equal(waits[1]?.delayMillis, configAgainMillisFirst);
});

test("one at a time is handed over, and of those that wait only the newest", () => {
  const { take, handed, texts, verdicts } = arrange();
  take("a", 1);
  take("b", 2);
  take("c", 3);

  handed[0]?.settle("taken");
  handed[1]?.settle("taken");

  assert.deepEqual(texts(), ["a", "c"]);
  assert.deepEqual(verdicts, ["b taken", "a taken", "c taken"]);
});

test("a config that came again while its handler ran is not handed over twice", () => {
  const { take, handed, texts, verdicts } = arrange();
  take("a", 1);
  take("a", 1);

  handed[0]?.settle("taken");

  assert.deepEqual(texts(), ["a"]);
  assert.deepEqual(verdicts, ["a taken", "a taken"]);
});

test("where there is a store the config in force outlives a restart, and is acknowledged only once it is stored", async () => {
  const store = memoryStore();
  const first = arrange(store);
  first.take("on", 9);
  first.handed[0]?.settle("taken");
  const early = [...first.verdicts];
  await new Promise((done) => setImmediate(done));

  const second = arrange(store);
  second.take("on", 9);

  assert.deepEqual([early, first.verdicts], [[], ["on taken"]]);
  assert.deepEqual([second.texts(), second.verdicts], [[], ["on taken"]]);
  assert.equal(second.keeper.version, 9);
});

test("a store that cannot take it is told of, and the config acknowledged all the same", async () => {
  const store = memoryStore();
  store.fails = true;
  const { take, handed, verdicts, events } = arrange(store);
  take("on", 9);

  handed[0]?.settle("taken");
  await new Promise((done) => setImmediate(done));

  assert.deepEqual(verdicts, ["on taken"]);
  assert.deepEqual(events.at(-1), { kind: "config_not_kept" });
});

test("what is in the store and is none of ours is as good as nothing", async () => {
  const store = memoryStore();
  await store.write(configStoreKey, new Uint8Array([1, 2, 3]));
  const { take, texts } = arrange(store);

  take("on", 9);

  assert.deepEqual(texts(), ["on"]);
});

test("a handler that fails after the end asks for nothing", () => {
  const { keeper, take, handed, waits } = arrange();
  take("on", 1);

  keeper.close();
  handed[0]?.settle({ failed: "TypeError" });

  assert.equal(waits.length, 0);
});
