import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigShelf, configAskersMax, type ShelvedConfig } from "./config-shelf.ts";

function arrange(options: { readonly last?: ShelvedConfig; readonly isFull?: boolean } = {}) {
  const kept: ShelvedConfig[] = [];
  const due: (() => void)[] = [];
  const shelf = new ConfigShelf(
    {
      timers: {
        after(_delay, run) {
          due.push(run);
          return () => {
            due.splice(due.indexOf(run), 1);
          };
        },
      },
      keeper: {
        async keep(config) {
          if (options.isFull === true) throw new Error("the disk is full");
          kept.push(config);
        },
      },
    },
    (payload) => `tag-${payload.join("-")}`,
    options.last,
  );
  return { shelf, kept, due };
}

const one = new Uint8Array([1]);

test("a config is kept before any program gets it", async () => {
  const { shelf, kept } = arrange();
  const { config } = shelf.other(undefined, 1_000);

  await shelf.put(one);

  assert.equal((await config)?.tag, "tag-1");
  assert.deepEqual(kept[0]?.payload, one);
});

test("a config that cannot be kept is not given out, and not acknowledged", async () => {
  const { shelf } = arrange({ isFull: true });

  await assert.rejects(shelf.put(one));

  assert.equal(shelf.current, undefined);
});

test("whoever has the newest config waits for another, until the time is over", async () => {
  const { shelf, due } = arrange({ last: { tag: "tag-1", payload: one } });
  const { config } = shelf.other("tag-1", 1_000);
  await shelf.put(one);

  due[0]?.();

  assert.equal(await config, undefined);
  assert.equal((await shelf.other("tag-0", 1_000).config)?.tag, "tag-1");
});

test("no more than so many programs wait for a config, and all are let go at the end", async () => {
  const { shelf, due } = arrange();
  const asked = Array.from({ length: configAskersMax }, () => shelf.other(undefined, 1_000));

  assert.throws(() => shelf.other(undefined, 1_000), RangeError);

  for (const { cancel } of asked) cancel();
  assert.deepEqual(
    await Promise.all(asked.map(({ config }) => config)),
    asked.map(() => undefined),
  );
  assert.equal(due.length, 0);
});
