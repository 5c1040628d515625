import assert from "node:assert/strict";
import test from "node:test";
import { mayflyZone } from "../../test/provisioning-data.ts";
import { contentsFor, makeStation, mayflyPlan, type Station } from "../../test/provisioning-station.ts";
import { commandPort } from "../atecc608/command-port.ts";
import { BusError } from "../bus.ts";
import { readConfigZone } from "./chip-commands.ts";
import { mayflyImmutableConfigOrder } from "./compose-config-zone.ts";
import { encodeConfigZone, isConfigLocked, isDataLocked, isSlotLocked } from "./config-zone.ts";
import { forecastProvisioning } from "./forecast-provisioning.ts";
import { freezeSlot } from "./freeze-slot.ts";
import type { ProvisioningPlan } from "./provisioning-plan.ts";
import { observeChip, type ProvisioningOutcome, type ProvisioningReport } from "./run-provisioning.ts";
import { fillSlot } from "./write-zones.ts";

function reportOf(outcome: ProvisioningOutcome): ProvisioningReport {
  if (outcome.kind === "done") return outcome.report;
  assert.fail(JSON.stringify(outcome));
}

/** What must hold for every chip that left the station. */
function assertProvisioned(station: Station, report: ProvisioningReport): void {
  const { config, contents } = report;
  assert.ok(isConfigLocked(config) && isDataLocked(config));
  assert.deepEqual(encodeConfigZone(config).slice(16, 84), mayflyZone.slice(16, 84));
  assert.deepEqual(encodeConfigZone(config).slice(88), mayflyZone.slice(88));
  for (const [slot, bytes] of contentsFor(report).slots) {
    assert.deepEqual(contents.slots.get(slot)?.slice(0, bytes.length), bytes, `slot ${slot}`);
  }
  assert.equal(Buffer.from(contents.otp).toString().slice(0, 11), "mayfly test");
  assert.ok(station.agreed.includes("lock-config") && station.agreed.includes("lock-data"));
}

test("a factory-fresh chip is provisioned from end to end", async () => {
  const station = makeStation();

  const report = reportOf(await station.run());

  assert.deepEqual(station.steps, [
    "write-config",
    "lock-config",
    ...["create-key", "create-key", "create-key", "create-key"],
    "write-contents",
    "lock-data",
    "check-contents",
    ...["prove-key", "prove-key", "prove-key", "prove-key"],
    "done",
  ]);
  assert.deepEqual(station.agreed, ["lock-config", "lock-data"]);
  assert.deepEqual([...report.publicKeys.keys()], [0, 1, 2, 3]);
  assert.equal(new Set([...report.publicKeys.values()].map((key) => key.join())).size, 4);
  assert.deepEqual(report.keysMadeHere, [0, 1, 2, 3]);
  assertProvisioned(station, report);
});

test("a chip that is done is done again without a change", async () => {
  const station = makeStation();
  const before = reportOf(await station.run());
  const changes = station.sim.eepromChanges();

  const after = reportOf(await station.run());

  assert.deepEqual(after, before);
  assert.equal(station.sim.eepromChanges(), changes);
});

/** Transaction numbers at which steps of a run without any trouble begin, and the last of all. */
async function stepBoundaries(): Promise<
  { readonly kind: string; readonly from: number; readonly to: number }[]
> {
  const station = makeStation();
  const starts: { kind: string; from: number }[] = [];
  await station.run({ starting: ({ kind }) => starts.push({ kind, from: station.transactions + 1 }) });
  return starts.map(({ kind, from }, i) => ({
    kind,
    from,
    to: (starts[i + 1]?.from ?? station.transactions) - 1,
  }));
}

for (const memory of ["kept", "lost"] as const) {
  test(`power lost at any step, the station's memory ${memory}: started again, the chip is as planned`, async () => {
    const boundaries = await stepBoundaries();
    const cuts = boundaries.flatMap(({ kind, from, to }) => {
      const middle = from + ((to - from) >> 1);
      if (!kind.startsWith("lock")) return memory === "kept" ? [from, middle] : [middle, to];
      // Locks are short and for ever: they are cut all along, at other places by each of the two tests.
      const places: number[] = [];
      for (let at = from + (memory === "kept" ? 0 : 3); at <= to; at += 6) places.push(at);
      return places;
    });

    for (const cutAt of cuts) {
      const station = makeStation();
      station.cutAt = cutAt;
      await assert.rejects(station.run(), `nobody noticed that the power failed at ${cutAt}`);
      if (memory === "lost") station.memory = undefined;

      const report = reportOf(await station.run());

      assertProvisioned(station, report);
    }
    assert.ok(cuts.length >= 2 * boundaries.length);
  });
}

test("power lost again and again, at other places each time, only makes it take longer", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const station = makeStation({ seed });
    let outcome: ProvisioningOutcome | undefined;
    for (let attempt = 1; outcome === undefined && attempt <= 12; attempt++) {
      station.cutAt = station.transactions + 97 * seed + 61 * attempt * attempt;
      outcome = await station.run().catch(() => undefined);
    }
    assert.ok(outcome !== undefined, `seed ${seed}`);

    assertProvisioned(station, reportOf(outcome));
  }
});

for (const refused of ["lock-config", "lock-data"] as const) {
  test(`${refused} that is not agreed to does not happen, and is asked again`, async () => {
    const station = makeStation();

    const outcome = await station.run({ agreeToLock: async ({ action }) => action.kind !== refused });

    assert.ok(outcome.kind === "not-agreed" && outcome.dryRun.action.kind === refused);
    const config = await readConfigZone(station.chip());
    assert.deepEqual([isConfigLocked(config), isDataLocked(config)], [refused === "lock-data", false]);
    assert.equal((await station.run()).kind, "done");
  });
}

test("the steps show the engineer what a lock makes irreversible before it is sent", async () => {
  const station = makeStation();
  const shown: string[] = [];

  await station.run({
    agreeToLock: async (dryRun) => {
      shown.push(...dryRun.irreversible);
      assert.deepEqual(dryRun.refused, []);
      return true;
    },
  });

  assert.ok(shown.includes("The key of now stays, and nobody can replace it: slot 1."));
});

test("slots are locked at the very end, when the plan wants it", async () => {
  const station = makeStation();
  const plan: ProvisioningPlan = { ...mayflyPlan, lockSlots: [0, 10] };

  const { config } = reportOf(await station.run({}, plan));

  assert.deepEqual(
    [0, 2, 10, 12].map((slot) => isSlotLocked(config, slot)),
    [true, false, true, false],
  );
  assert.deepEqual(station.agreed, ["lock-config", "lock-data", "lock-slot", "lock-slot"]);
  await assert.rejects(station.chip()[commandPort].execute(0x40, 0x04, 0, new Uint8Array(0), 64));
});

test("the immutable variant's keys cannot be made again, the rotatable one's can", async () => {
  const station = makeStation();
  const rotatable = makeStation();
  const makeKey = (of: Station) => of.chip()[commandPort].execute(0x40, 0x04, 0, new Uint8Array(0), 64);

  reportOf(await station.run({}, { ...mayflyPlan, order: mayflyImmutableConfigOrder }));
  reportOf(await rotatable.run());

  await assert.rejects(makeKey(station));
  assert.equal((await makeKey(rotatable)).length, 64);
});

test("a chip locked with another configuration is refused and left as it is", async () => {
  const station = makeStation({ image: "trust-and-go" });
  const changes = station.sim.eepromChanges();

  const outcome = await station.run({ currentAddress: 0x35 });

  assert.equal(outcome.kind, "refused");
  assert.equal(station.sim.eepromChanges(), changes);
});

test("a plan that would move the chip by mistake is refused before the first byte is written", async () => {
  const station = makeStation();
  const changes = station.sim.eepromChanges();

  const outcome = await station.run({}, { ...mayflyPlan, order: { ...mayflyPlan.order, address: 0x35 } });

  assert.deepEqual(outcome, {
    kind: "refused",
    because: ["The chip would move from I2C address 0x60 to 0x35."],
  });
  assert.equal(station.sim.eepromChanges(), changes);
});

test("a move that is wanted is carried out, with a new driver half way", async () => {
  const station = makeStation();
  const plan = { ...mayflyPlan, order: { ...mayflyPlan.order, address: 0x35 }, addressChangeWanted: true };

  const first = await station.run({}, plan);
  station.sim.powerCycle();
  const second = await station.run({ currentAddress: 0x35 }, plan);

  assert.deepEqual(first, { kind: "reconnect", address: 0x35 });
  assert.equal(reportOf(second).config.i2cAddress, 0x6a);
});

test("content that was disturbed before the data lock is not locked in, and is written again", async () => {
  const station = makeStation();
  const disturbed = station.run({
    agreeToLock: async ({ action }) => {
      station.agreed.push(action.kind);
      if (action.kind === "lock-data") await fillSlot(station.chip(), 10, new Uint8Array(72).fill(0xee));
      return true;
    },
  });

  await assert.rejects(disturbed);
  assert.ok(!isDataLocked(await readConfigZone(station.chip())));
  assertProvisioned(station, reportOf(await station.run()));
});

test("a key that somebody brought in or made before us is replaced by one of ours", async () => {
  const station = makeStation();
  await station.run({ agreeToLock: async ({ action }) => action.kind === "lock-config" });
  const foreign = await station.chip()[commandPort].execute(0x40, 0x04, 2, new Uint8Array(0), 64);
  station.memory = undefined;

  const report = reportOf(await station.run());

  assert.notDeepEqual(report.publicKeys.get(2), foreign);
});

test("a locked chip whose content belongs to other keys is refused", async () => {
  const station = makeStation();
  reportOf(await station.run());
  await station.chip()[commandPort].execute(0x40, 0x04, 0, new Uint8Array(0), 64);
  station.memory = undefined;

  const outcome = await station.run();

  assert.deepEqual(outcome, { kind: "refused", because: ["The chip holds the certificates of other keys."] });
});

test("a key that does not prove itself stops the run", async () => {
  const station = makeStation();

  await assert.rejects(station.run({ provePossession: async () => false }), {
    code: "possession_not_proved",
  });
});

test("provisioning survives a noisy bus and a chip that browns out, if it is started again", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const station = makeStation({
      seed,
      faults: { nack_storm: 0.005, flipped_bit: 0.002, torn_write: 0.01 },
    });
    let outcome: ProvisioningOutcome | undefined;
    for (let attempt = 0; outcome === undefined && attempt < 20; attempt++) {
      outcome = await station.run().catch((error) => {
        assert.ok(!(error instanceof TypeError || error instanceof BusError), String(error?.stack));
        return undefined;
      });
    }
    assert.ok(outcome !== undefined);

    assertProvisioned(station, reportOf(outcome));
  }
});

test("the forecast of a fresh chip tells its changes and both locks, and touches nothing", async () => {
  const station = makeStation();
  const observed = await observeChip(station.chip());
  const changes = station.sim.eepromChanges();

  const forecast = forecastProvisioning(observed, mayflyPlan, 0x60);

  assert.equal(forecast.nextStep.kind, "write-config");
  assert.ok(forecast.changes.includes("Slot configuration of slot 0 changes from 83 20 to 81 20 (byte 20)."));
  assert.deepEqual(
    forecast.locks.map(({ action }) => action.kind),
    ["lock-config", "lock-data"],
  );
  assert.deepEqual(forecast.refused, []);
  assert.equal(station.sim.eepromChanges(), changes);
});

test("the forecast refuses what a run would refuse", async () => {
  const moved = { ...mayflyPlan, order: { ...mayflyPlan.order, address: 0x35 } };
  const fresh = await observeChip(makeStation().chip());
  const foreign = await observeChip(makeStation({ image: "trust-and-go" }).chip(0x35));

  assert.deepEqual(forecastProvisioning(fresh, moved, 0x60).refused, [
    "The chip would move from I2C address 0x60 to 0x35.",
  ]);
  assert.ok(forecastProvisioning(foreign, mayflyPlan, 0x35).refused.length > 1);
  assert.deepEqual(forecastProvisioning(foreign, mayflyPlan, 0x35).locks, []);
});

test("nothing is left to lock on a chip that is done", async () => {
  const station = makeStation();
  reportOf(await station.run());

  const forecast = forecastProvisioning(await observeChip(station.chip()), mayflyPlan, 0x60, station.memory);

  assert.deepEqual(forecast, { nextStep: { kind: "done" }, changes: [], locks: [], refused: [] });
});

test("a slot is frozen after a dry run that was agreed to, and not before", async () => {
  const station = makeStation();
  const chip = station.chip();

  assert.equal((await freezeSlot(chip, 2, async () => true)).kind, "refused");
  reportOf(await station.run());
  assert.equal((await freezeSlot(chip, 2, async () => false)).kind, "not-agreed");
  assert.equal((await freezeSlot(chip, 1, async () => true)).kind, "refused");
  assert.equal((await freezeSlot(chip, 2, async () => true)).kind, "locked");
  assert.equal((await freezeSlot(chip, 2, async () => true)).kind, "locked-already");

  const config = await readConfigZone(chip);
  assert.deepEqual(
    [1, 2, 3].map((slot) => isSlotLocked(config, slot)),
    [false, true, false],
  );
});
