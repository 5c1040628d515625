/** One question and its answer: which instants are told, and where each wait ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld } from "@mayfly/sim";
import type { DatagramEvents } from "../ports.ts";
import { exchangeDatagram, openMillisMax } from "./datagram-exchange.ts";

const answerMillisMax = 1_200;

/** An exchange over a link that the test plays; what it is told, with the instant. */
function arrange(seed: string) {
  const world = createWorld({ seed });
  const now = () => world.clock.monotonicMillis();
  const told: string[] = [];
  const link = { sent: 0, closed: 0 };
  let peerOf: DatagramEvents | undefined;
  const cancel = exchangeDatagram(
    {
      clock: world.clock,
      timers: world.timers,
      openDatagram: (_peer, events) => {
        peerOf = events;
        return {
          send: () => {
            link.sent += 1;
          },
          close: () => {
            link.closed += 1;
          },
        };
      },
    },
    { host: "a", port: 123 },
    answerMillisMax,
    {
      request: () => new Uint8Array([1]),
      received: (bytes, sentMillis, receivedMillis) => {
        told.push(`${bytes[0]} sent ${sentMillis} received ${receivedMillis}`);
        return bytes[0] === 7;
      },
      ended: (because) => void told.push(`${because} at ${now()}`),
    },
  );
  assert.ok(peerOf !== undefined);
  return { world, told, link, peer: peerOf, cancel };
}

test("the answer comes with the instants of sending and receipt, and closes the link", async () => {
  const { world, told, link, peer } = arrange("answer");
  await world.run(100);
  peer.opened();
  await world.run(40);

  peer.received(new Uint8Array([7]));
  peer.received(new Uint8Array([8]));
  await world.run(10_000);

  assert.deepEqual(told, ["7 sent 100 received 140"]);
  assert.deepEqual(link, { sent: 1, closed: 1 });
});

test("what answers something else changes nothing: the wait goes on, and ends when it would have", async () => {
  const { world, told, link, peer } = arrange("foreign");
  peer.opened();
  await world.run(1_199);

  peer.received(new Uint8Array([5]));
  await world.run(10_000);

  assert.deepEqual(told, ["5 sent 0 received 1199", "silence at 1200"]);
  assert.equal(link.closed, 1);
});

test("a link that does not open within 3 s is given up", async () => {
  const { world, told, link, peer } = arrange("never opens");

  await world.run(10_000);
  peer.opened();

  assert.deepEqual(told, ["unreachable at 3000"]);
  assert.deepEqual(link, { sent: 0, closed: 1 });
  assert.equal(openMillisMax, 3_000);
});

test("a link that opens in its last moment has the whole wait for its answer", async () => {
  const { world, told, peer } = arrange("opens late");
  await world.run(2_999);
  peer.opened();

  await world.run(10_000);

  assert.deepEqual(told, ["silence at 4199"]);
});

test("a link that fails, before or after it opened, is unreachable at once", async () => {
  const [early, late] = [arrange("fails early"), arrange("fails late")];
  late.peer.opened();

  for (const { peer, world } of [early, late]) {
    peer.failed("ENOTFOUND");
    await world.run(10_000);
  }

  assert.deepEqual([early.told, late.told], [["unreachable at 0"], ["unreachable at 0"]]);
});

test("what arrives before the question is sent answers nothing", async () => {
  const { told, peer } = arrange("too early");

  peer.received(new Uint8Array([7]));

  assert.deepEqual(told, []);
});

test("given up, it tells nothing more and closes once", async () => {
  const { world, told, link, peer, cancel } = arrange("given up");
  peer.opened();

  cancel();
  cancel();
  peer.received(new Uint8Array([7]));
  peer.failed("late");
  await world.run(10_000);

  assert.deepEqual([told, link], [[], { sent: 1, closed: 1 }]);
});
