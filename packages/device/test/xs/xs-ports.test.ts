/** Clock, timers, datagrams, store, hash and randomness of a microcontroller, on stand-ins for the SDK. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hexEncode, type Sha256, utf8Encode } from "@mayfly/core";
import { createSha256 } from "@mayfly/core/sha256";
import {
  createXsClock,
  createXsDatagrams,
  createXsRandom,
  createXsSha256,
  createXsStore,
  createXsTimers,
} from "@mayfly/device/xs";
import { datagramBytesMax, peersMax } from "../../src/host/xs/xs-datagrams.ts";
import { drawsPerKey } from "../../src/host/xs/xs-random.ts";
import { legMillisMax } from "../../src/host/xs/xs-time.ts";
import { smallValueBytesMax } from "../../src/ports.ts";
import { StandInNet, StandInTime, StandInUdp } from "./moddable-stand-ins.ts";

const dayMillis = 86_400_000;

test("the clock goes on through a roll-over of the ticks", () => {
  const machine = new StandInTime(2 ** 31 - 1_000);
  const clock = createXsClock(machine, machine.timer);

  machine.advance(1_500);

  assert.equal(machine.ticks < 0, true);
  assert.equal(clock.monotonicMillis(), 1_500);
});

test("a clock that nobody asks for a year has lost nothing", () => {
  const machine = new StandInTime(12_345);
  const clock = createXsClock(machine, machine.timer);

  machine.advance(365 * dayMillis);

  assert.equal(clock.monotonicMillis(), 365 * dayMillis);
});

test("a delay is waited for in legs, and runs once, neither before its time nor after", () => {
  const machine = new StandInTime();
  const timers = createXsTimers(machine.timer);
  let runs = 0;
  timers.after(2 ** 31 - 1, () => {
    runs += 1;
  });

  machine.advance(legMillisMax);
  machine.advance(2 ** 31 - 2 - legMillisMax);
  const before = runs;
  machine.advance(1);
  machine.advance(dayMillis);

  assert.deepEqual([before, runs], [0, 1]);
  assert.equal(machine.longestMillis, legMillisMax);
});

test("a part of a millisecond is waited for whole", () => {
  const machine = new StandInTime();
  let ran = false;
  createXsTimers(machine.timer).after(0.25, () => {
    ran = true;
  });

  machine.advance(0);
  const before = ran;
  machine.advance(1);

  assert.deepEqual([before, ran], [false, true]);
});

test("a timer is cancelled in any leg, and cancelling one that has run does nothing", () => {
  const machine = new StandInTime();
  const timers = createXsTimers(machine.timer);
  let runs = 0;
  const run = (): void => {
    runs += 1;
  };
  const late = timers.after(legMillisMax + 10, run);
  const soon = timers.after(5, run);

  machine.advance(legMillisMax + 5);
  late();
  soon();
  machine.advance(legMillisMax);

  assert.equal(runs, 1);
  assert.equal(machine.timersWaiting, 0);
});

function datagrams() {
  const machine = new StandInTime();
  const net = new StandInNet();
  StandInUdp.open.length = 0;
  StandInUdp.most = 0;
  const open = createXsDatagrams({ net, timer: machine.timer, udp: StandInUdp });
  const told: string[] = [];
  const events = (name: string) => ({
    opened: () => {
      told.push(`${name} opened`);
    },
    received: (bytes: Uint8Array) => {
      told.push(`${name} ${[...bytes].join()}`);
    },
    failed: (because: string) => {
      told.push(`${name} failed: ${because}`);
    },
  });
  return { machine, net, open, told, events };
}

test("all peers share one UDP socket, which is there while anybody uses it", () => {
  const { net, open, events } = datagrams();

  const links = ["a", "b", "c", "d"].map((host) => open({ host, port: 123 }, events(host)));
  net.asked.forEach(({ answer }, i) => {
    answer(`192.0.2.${i}`);
  });
  const during = StandInUdp.open.length;
  for (const link of links) link.close();

  assert.deepEqual([during, StandInUdp.most, StandInUdp.open.length], [1, 1, 0]);
});

test("a datagram goes to the peer whose address and port it has, and to nobody else", () => {
  const { net, open, told, events } = datagrams();
  open({ host: "a", port: 123 }, events("a"));
  open({ host: "b", port: 123 }, events("b"));
  net.asked[0]?.answer("192.0.2.1");
  net.asked[1]?.answer("192.0.2.2");
  told.length = 0;
  const [socket] = StandInUdp.open;

  socket?.arrive("192.0.2.2", 123, 1);
  socket?.arrive("192.0.2.2", 124, 2);
  socket?.arrive("198.51.100.9", 123, 3);
  socket?.arrive("192.0.2.1", 123, 4);

  assert.deepEqual(told, ["b 1", "a 4"]);
});

test("a datagram leaves for its peer once the name is known, and is lost before", () => {
  const { net, open, events } = datagrams();
  const link = open({ host: "a", port: 123 }, events("a"));

  link.send(Uint8Array.of(1));
  net.asked[0]?.answer("192.0.2.1");
  link.send(Uint8Array.of(2));

  assert.deepEqual(StandInUdp.open[0]?.sent, [{ bytes: [2], address: "192.0.2.1", port: 123 }]);
  assert.throws(() => link.send(new Uint8Array(datagramBytesMax + 1)), RangeError);
});

test("one peer more than there may be is told so, and costs the others nothing", () => {
  const { machine, net, open, told, events } = datagrams();
  for (let i = 0; i < peersMax; i++) open({ host: `h${i}`, port: 123 }, events(`h${i}`));

  open({ host: "more", port: 123 }, events("more"));
  machine.advance(1);
  for (const { answer } of net.asked) answer("192.0.2.1");

  assert.deepEqual(told, ["more failed: too many peers", "h0 opened", "h1 opened", "h2 opened", "h3 opened"]);
});

/** NVS, with its bounds. */
class StandInPreference {
  readonly values = new Map<string, ArrayBuffer>();
  writes = 0;

  get(domain: string, key: string): ArrayBuffer | undefined {
    return this.values.get(`${domain}/${key}`);
  }

  set(domain: string, key: string, value: ArrayBuffer): void {
    if (domain.length > 15 || key.length > 15 || value.byteLength > 4_000) throw new Error("preference");
    this.writes += 1;
    this.values.set(`${domain}/${key}`, value);
  }
}

test("a small value is kept as it was written, and not written again when it is the same", async () => {
  const preference = new StandInPreference();
  const store = createXsStore(preference);
  const whole = Uint8Array.of(9, 1, 2, 3, 9);

  await store.write("time-floor", whole.subarray(1, 4));
  await store.write("time-floor", Uint8Array.of(1, 2, 3));

  assert.deepEqual(store.read("time-floor"), Uint8Array.of(1, 2, 3));
  assert.equal(preference.writes, 1);
  assert.equal(store.read("other"), undefined);
});

test("keys and values up to the bounds are kept, and none beyond", async () => {
  const store = createXsStore(new StandInPreference());

  await store.write("k".repeat(15), new Uint8Array(smallValueBytesMax));

  await assert.rejects(store.write("k".repeat(16), new Uint8Array(1)), RangeError);
  await assert.rejects(store.write("k", new Uint8Array(smallValueBytesMax + 1)), RangeError);
});

test("the SDK's Digest is given exactly the bytes to hash, also of a part of a buffer", () => {
  class Digest {
    readonly #hash = createHash("sha256");
    write(bytes: ArrayBuffer): void {
      if (!(bytes instanceof ArrayBuffer)) throw new TypeError("not a buffer");
      this.#hash.update(new Uint8Array(bytes));
    }
    close(): ArrayBuffer {
      return Uint8Array.from(this.#hash.digest()).buffer;
    }
  }
  const sha256 = createXsSha256(Digest);
  const part = utf8Encode("xabcx").subarray(1, 4);

  const digest = sha256.digest(part);

  assert.equal(hexEncode(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

/** A chip whose randomness is a count, so that a test sees when it was asked. */
function countingChip() {
  const chip = {
    asked: 0,
    isAway: false,
    random: async (): Promise<Uint8Array> => {
      chip.asked += 1;
      if (chip.isAway) throw new Error("chip_absent");
      return new Uint8Array(32).fill(chip.asked);
    },
  };
  return chip;
}

test("randomness is never the chip's own bytes, nor the same twice, nor another machine's", async () => {
  const sha256: Sha256 = createSha256();
  const random = await createXsRandom(countingChip(), sha256);
  const draw = (length: number): string => hexEncode(random.fill(new Uint8Array(length)));

  const draws = [draw(32), draw(32), draw(100), draw(4)];

  assert.equal(new Set(draws).size, 4);
  assert.equal(draws.includes("01".repeat(32)), false);
  assert.equal(draws[2]?.slice(0, 64) === draws[2]?.slice(64, 128), false);
});

test("the chip is asked again after so many draws, and what it says is mixed in", async () => {
  const sha256 = createSha256();
  const chip = countingChip();
  const random = await createXsRandom(chip, sha256);
  const lonely = await createXsRandom(
    { ...countingChip(), random: async () => new Uint8Array(32).fill(1) },
    sha256,
  );

  for (let i = 0; i < drawsPerKey; i++) {
    random.fill(new Uint8Array(4));
    lonely.fill(new Uint8Array(4));
  }
  const askedBefore = chip.asked;
  await Promise.resolve();
  await Promise.resolve();

  assert.equal(askedBefore, 2);
  assert.notDeepEqual(random.fill(new Uint8Array(8)), lonely.fill(new Uint8Array(8)));
});

test("a chip that errs later takes no randomness away, and is asked again; one that gives none at first is an error", async () => {
  const chip = countingChip();
  const random = await createXsRandom(chip, createSha256());
  chip.isAway = true;

  for (let i = 0; i < drawsPerKey + 1; i++) {
    random.fill(new Uint8Array(4));
    await new Promise((resolve) => setImmediate(resolve));
  }

  assert.equal(chip.asked, 3);
  await assert.rejects(createXsRandom(chip, createSha256()), /chip_absent/);
});
