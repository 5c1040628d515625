import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { conversionMicros, convToBusyMicros, createDs3231Sim, type Ds3231Sim } from "./ds3231-sim.ts";

const second = 1_000_000;
const address = 0x68;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function read(sim: Ds3231Sim, first: number, length: number): Uint8Array {
  assert.equal(sim.write(address, Uint8Array.of(first)), "ack");
  const bytes = sim.read(address, length);
  assert.ok(typeof bytes !== "string");
  return bytes;
}
const registerOf = (sim: Ds3231Sim, index: number): number => read(sim, index, 1)[0] ?? -1;
const write = (sim: Ds3231Sim, first: number, ...values: number[]): void => {
  assert.equal(sim.write(address, Uint8Array.of(first, ...values)), "ack");
};
const at = (text: string): number => Date.parse(text) / 1000;

test("at first power all 19 registers have their reset values, and a conversion begins", () => {
  const sim = createDs3231Sim();

  const bytes = read(sim, 0, 19);

  assert.equal(hex(bytes), "00000001010100" + "00000000" + "000000" + "1c" + "8c" + "00" + "0000");
});

// From, to a second later: 03h to 06h are day, date, month, year.
for (const [what, before, after] of [
  ["a minute ends", "59081201150127", "00091201150127"],
  ["an hour ends", "59591201150127", "00001301150127"],
  ["a day ends, and day 7 is followed by day 1", "59592307150127", "00000001160127"],
  ["a month of 31 days ends", "59592301310127", "00000002010227"],
  ["a month of 30 days ends", "59592301300427", "00000002010527"],
  ["February ends after 28 days", "59592301280227", "00000002010327"],
  ["February of a leap year has a 29th", "59592301280228", "00000002290228"],
  ["the 29th of February is the last", "59592301290228", "00000002010328"],
  ["October follows September", "59592301300928", "00000002011028"],
  ["a year ends", "59592301311227", "00000002010128"],
  ["the century bit is set when 99 goes to 00", "59592301311299", "00000002018100"],
  ["a set century bit is cleared the next time", "59592301319299", "00000002010100"],
  ["the century bit stays through a month's end", "59592301318127", "00000002018227"],
  [
    "00 with the century bit has a 29th of February, though 2100 has none",
    "59592301288200",
    "00000002298200",
  ],
  ["11:59:59 AM is followed by 12 PM", "59595101150127", "00007201150127"],
  ["12:59:59 PM is followed by 1 PM", "59597201150127", "00006101150127"],
  ["9:59:59 AM is followed by 10 AM", "59594901150127", "00005001150127"],
  ["11:59:59 PM is followed by 12 AM of the next day", "59597101310127", "00005202010227"],
] as const) {
  test(what, () => {
    const sim = createDs3231Sim();
    write(sim, 0, ...Buffer.from(before, "hex"));

    sim.advanceMicros(second);

    assert.equal(hex(read(sim, 0, 7)), after);
  });
}

test("the calendar counts as the world's does, over any number of days to 2099", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: at("2000-01-01"), max: at("2099-12-20") }),
      fc.integer({ min: 1, max: 3 * 86_400 }),
      (start, seconds) => {
        const sim = createDs3231Sim({ startsAtSeconds: start });

        sim.advanceMicros(seconds * second);

        const [s, m, h, , d, mo, y] = hex(read(sim, 0, 7)).match(/../g) ?? [];
        assert.equal(
          `20${y}-${mo}-${d}T${h}:${m}:${s}`,
          new Date((start + seconds) * 1000).toISOString().slice(0, 19),
        );
      },
    ),
    { numRuns: 20 },
  );
});

test("the register pointer goes on over transactions, and from 12h to 00h", () => {
  const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T08:00:00Z") });
  write(sim, 0x10, 0x05);

  const first = read(sim, 0x10, 4);
  const next = sim.read(address, 2);

  assert.equal(hex(first), "05000000");
  assert.ok(typeof next !== "string");
  assert.equal(hex(next), "0008");
});

test("a time read over a change of seconds is the one latched at START; a wrap latches anew", () => {
  const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T07:59:59.9995Z") });
  // The pointer takes 18 clocks of 10 µs, then the read's START is before the change and its bytes are after it.
  sim.write(address, Uint8Array.of(0));

  const bytes = sim.read(address, 26);

  assert.ok(typeof bytes !== "string");
  assert.deepEqual([hex(bytes.subarray(0, 3)), hex(bytes.subarray(19, 22))], ["595907", "000008"]);
});

test("a transaction takes nine clocks a byte, its address among them", () => {
  const sim = createDs3231Sim();

  sim.write(address, Uint8Array.of(0), 400_000);
  sim.read(address, 19, 100_000);
  sim.write(0x60, Uint8Array.of(0), 100_000);

  assert.equal(sim.nowMicros(), 45 + 1800 + 90);
});

test("writing the seconds restarts the second, writing the minutes does not", () => {
  const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T08:00:00.9Z") });
  write(sim, 0x00, 0x30);
  sim.advanceMicros(990_000);
  const restarted = registerOf(sim, 0);
  write(sim, 0x01, 0x30);
  sim.advanceMicros(20_000);

  assert.deepEqual([restarted, registerOf(sim, 0)], [0x30, 0x31]);
});

test("bits that are none cannot be written; flags can only be cleared; BSY and temperature not at all", () => {
  const sim = createDs3231Sim();
  sim.advanceMicros(second);

  write(sim, 0x00, ...new Array<number>(19).fill(0xff));
  const ones = read(sim, 0, 19);
  write(sim, 0x0f, 0x00);

  assert.equal(hex(ones.subarray(1, 7)), "7f7f073f9fff");
  assert.equal(hex(ones.subarray(7, 14)), "ffffffffffffff");
  // Control with CONV; OSF as it was and EN32kHz; BSY only when the conversion has begun; 25 °C.
  assert.equal(hex(ones.subarray(14)), "ff88ff1900");
  assert.equal(registerOf(sim, 0x0f) & ~0x04, 0x00);
});

test("a conversion asked for shows CONV at once, BSY after 2 ms, and both end with a new temperature", () => {
  const sim = createDs3231Sim({ temperatureC: 25 });
  sim.advanceMicros(second);
  sim.setTemperature(-10.25);
  const look = (): string =>
    hex(Uint8Array.of(registerOf(sim, 0x0e), registerOf(sim, 0x0f), registerOf(sim, 0x11)));

  write(sim, 0x0e, 0x3c);
  const asked = look();
  sim.advanceMicros(convToBusyMicros);
  const busy = look();
  sim.advanceMicros(conversionMicros);

  assert.deepEqual([asked, busy, look()], ["3c8819", "3c8c19", "1c88f5"]);
  assert.equal(registerOf(sim, 0x12), 0xc0);
});

test("the temperature is taken each 64 s", () => {
  const sim = createDs3231Sim({ temperatureC: 20 });
  sim.advanceMicros(second);
  sim.setTemperature(30);

  sim.advanceMicros(62 * second);
  const before = registerOf(sim, 0x11);
  sim.advanceMicros(2 * second);

  assert.deepEqual([before, registerOf(sim, 0x11)], [20, 30]);
});

test("an aging offset takes effect with the next conversion, 0.1 ppm a step, positive slows", () => {
  const sim = createDs3231Sim({ crystal: { errorPpm: 2 } });
  sim.advanceMicros(second);

  write(sim, 0x10, 0x14);
  const written = sim.truePpm();
  sim.advanceMicros(64 * second);
  const slowed = sim.truePpm();
  write(sim, 0x10, 0xec);
  sim.advanceMicros(64 * second);

  assert.deepEqual([written, slowed, sim.truePpm()], [2, 0, 4]);
});

test("a crystal 20 ppm fast is 1.728 s ahead after a day, and slower the further it is from 25 °C", () => {
  const fast = createDs3231Sim({ startsAtSeconds: at("2027-01-15T00:00:00Z"), crystal: { errorPpm: 20 } });
  const cold = createDs3231Sim({ crystal: { errorPpm: 0 }, temperatureC: -25 });

  fast.advanceMicros(86_400 * second - 1_728_500);
  const before = hex(read(fast, 0, 3));
  fast.advanceMicros(1_000);

  assert.deepEqual([before, hex(read(fast, 0, 3))], ["595923", "000000"]);
  assert.equal(cold.truePpm(), -2);
});

test("alarm 1 rings when what it does not mask matches, alarm 2 at second 00, and their flags hold", () => {
  const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T08:00:00Z") });
  // Alarm 1 at 08:01:30 on the 15th; alarm 2 each minute 02, on day 6 (Friday).
  write(sim, 0x07, 0x30, 0x01, 0x08, 0x15, 0x02, 0x08, 0x46);
  const flagsAfter = (seconds: number): number => {
    sim.advanceMicros(seconds * second);
    return registerOf(sim, 0x0f) & 0x03;
  };

  const flags = [flagsAfter(89), flagsAfter(2), flagsAfter(30), flagsAfter(60)];
  write(sim, 0x0f, 0x02);

  assert.deepEqual([...flags, registerOf(sim, 0x0f) & 0x03], [0, 1, 3, 3, 2]);
});

test("a good battery keeps time and registers while the power is away, and nobody answers", () => {
  const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T08:00:00Z") });
  write(sim, 0x10, 0x07);

  sim.cutPower();
  // 0.7 ppm slow, it needs 2.5 ms more than the hour.
  sim.advanceMicros(3_600 * second + 3_000);
  const away = [sim.write(address, Uint8Array.of(0)), sim.read(address, 1)];
  sim.restorePower();

  assert.deepEqual(away, ["nack", "nack"]);
  assert.equal(hex(read(sim, 0, 3)), "000009");
  assert.deepEqual([registerOf(sim, 0x10), registerOf(sim, 0x0f) & 0x80], [0x07, 0]);
});

test("with EOSC the clock stands on its battery, and OSF tells", () => {
  const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T08:00:00Z") });
  write(sim, 0x0e, 0x9c);
  sim.advanceMicros(10 * second);

  sim.cutPower();
  sim.advanceMicros(3_600 * second);
  sim.restorePower();

  assert.equal(hex(read(sim, 0, 3)), "100008");
  assert.equal(registerOf(sim, 0x0f) & 0x80, 0x80);
});

for (const when of ["before", "while"] as const) {
  test(`a battery that is gone ${when} the power is away costs time and registers`, () => {
    const sim = createDs3231Sim({ startsAtSeconds: at("2027-01-15T08:00:00Z") });
    write(sim, 0x10, 0x07);

    if (when === "before") sim.setBattery("none");
    sim.cutPower();
    if (when === "while") sim.setBattery("none");
    sim.advanceMicros(60 * second);
    sim.restorePower();
    sim.advanceMicros(second);

    assert.equal(hex(read(sim, 0, 7)), "01000001010100");
    assert.deepEqual([registerOf(sim, 0x10), registerOf(sim, 0x0f)], [0, 0x88]);
  });
}

test("while SDA is held low every transaction is stuck, at every address", () => {
  const sim = createDs3231Sim();
  sim.holdBus("held");

  const held = [sim.write(0x60, Uint8Array.of(0)), sim.read(address, 1), sim.isHoldingBus()];
  sim.holdBus("free");

  assert.deepEqual([...held, sim.write(address, Uint8Array.of(0))], ["stuck", "stuck", true, "ack"]);
});

test("a start before 2000 or after 2099 is refused", () => {
  for (const startsAtSeconds of [at("2000-01-01") - 1, at("2100-01-01"), Number.NaN])
    assert.throws(() => createDs3231Sim({ startsAtSeconds }), RangeError);
});
