import assert from "node:assert/strict";
import test from "node:test";
import { contentsFor, makeStation, mayflyPlan } from "../../test/provisioning-station.ts";
import { ChipError } from "../atecc608/chip-error.ts";
import { type CommandPort, commandPort } from "../atecc608/command-port.ts";
import {
  createKey,
  hasKey,
  lockConfigZone,
  lockDataZone,
  readConfigZone,
  selfTest,
  updateExtra,
} from "./chip-commands.ts";
import { composeConfigZone, mayflyConfigOrder } from "./compose-config-zone.ts";
import { encodeConfigZone, isConfigLocked, isDataLocked } from "./config-zone.ts";
import { ProvisioningError } from "./provisioning-error.ts";
import { readConfigBytes, readOtp, readSlot } from "./read-zones.ts";
import { configSummaryCrc, dataSummaryCrc } from "./summary-crc.ts";
import { fillOtp, fillSlot, overwriteSlot, writeConfigZone } from "./write-zones.ts";

const forbidden = { code: "chip_status_execution" } as const;

/** A chip whose configuration is locked and whose data zone is open. */
async function configuredChip() {
  const station = makeStation();
  await station.run({ agreeToLock: async ({ action }) => action.kind === "lock-config" });
  return { station, chip: station.chip() };
}

async function provisionedChip() {
  const station = makeStation();
  assert.equal((await station.run({}, mayflyPlan)).kind, "done");
  return { station, chip: station.chip() };
}

/** A chip that answers everything with one error, or with the configuration when it is read. */
function brokenChip(error: ChipError, config = new Uint8Array(128)) {
  const port: Pick<CommandPort, "execute" | "together"> = {
    execute: async (opcode, _param1, param2) => {
      if (opcode === 0x02) return config.slice(4 * param2, 4 * param2 + 32);
      throw error;
    },
    together: async () => {
      throw error;
    },
  };
  return { [commandPort]: port };
}

test("writing a configuration changes what differs, and nothing when nothing does", async () => {
  const station = makeStation();
  const chip = station.chip();
  const planned = composeConfigZone(await readConfigZone(chip), mayflyConfigOrder);

  await writeConfigZone(chip, planned);
  const changes = station.sim.eepromChanges();
  await writeConfigZone(chip, planned);

  assert.deepEqual(await readConfigBytes(chip), encodeConfigZone(planned));
  assert.equal(station.sim.eepromChanges(), changes);
});

test("a configuration lock with a wrong summary does not happen", async () => {
  const station = makeStation();
  const chip = station.chip();
  const crc = configSummaryCrc(await readConfigBytes(chip));

  await assert.rejects(lockConfigZone(chip, crc ^ 1), ChipError);

  assert.ok(!isConfigLocked(await readConfigZone(chip)));
  await lockConfigZone(chip, crc);
  assert.ok(isConfigLocked(await readConfigZone(chip)));
});

test("the data zone is not locked before the configuration, nor with a wrong summary", async () => {
  const station = makeStation();
  const { chip } = await configuredChip();

  await assert.rejects(lockDataZone(station.chip(), 0), forbidden);
  await assert.rejects(lockDataZone(chip, 1), ChipError);
  assert.ok(!isDataLocked(await readConfigZone(chip)));
});

test("a lock whose answer is lost is believed when its byte says so, and only then", async () => {
  const lost = new ChipError("response_crc", "the answer was lost");

  await lockConfigZone(brokenChip(lost), 0);
  await assert.rejects(lockConfigZone(brokenChip(lost, new Uint8Array(128).fill(0x55)), 0), lost);
});

test("a lock that is answered but not kept is refused", async () => {
  const port: Pick<CommandPort, "execute" | "together"> = {
    execute: async (opcode) => new Uint8Array(opcode === 0x02 ? 32 : 0).fill(0x55),
    together: async () => assert.fail("no sequence here"),
  };

  await assert.rejects(
    lockDataZone({ [commandPort]: port }, 0),
    (error) => error instanceof ProvisioningError && error.code === "lock_refused",
  );
});

test("keys are made only once the configuration is locked, and KeyValid tells which are there", async () => {
  const chip = makeStation().chip();
  await assert.rejects(createKey(chip, 0), forbidden);
  await writeConfigZone(chip, composeConfigZone(await readConfigZone(chip), mayflyConfigOrder));
  await lockConfigZone(chip, configSummaryCrc(await readConfigBytes(chip)));

  await createKey(chip, 3);

  assert.deepEqual([await hasKey(chip, 3), await hasKey(chip, 2)], [true, false]);
});

test("after the data lock a slot is written if it may be, and read back whole", async () => {
  const { chip } = await provisionedChip();
  const content = Uint8Array.from({ length: 72 }, (_, i) => 255 - i);

  await overwriteSlot(chip, 10, content);
  await overwriteSlot(chip, 10, Uint8Array.of(9, 9, 9, 9));

  assert.deepEqual(await readSlot(chip, 10), Uint8Array.from([9, 9, 9, 9, ...content.slice(4)]));
  await assert.rejects(overwriteSlot(chip, 4, content.slice(0, 36)), forbidden);
  await assert.rejects(overwriteSlot(chip, 0, content.slice(0, 36)), forbidden);
});

test("closed and private slots do not read, slots of data do", async () => {
  const { chip } = await provisionedChip();

  assert.equal((await readSlot(chip, 8)).length, 416);
  await assert.rejects(readSlot(chip, 0), forbidden);
  await assert.rejects(readSlot(chip, 4), forbidden);
});

test("OTP is filled while the data zone is open, and then never again", async () => {
  const { chip } = await configuredChip();
  const otp = Uint8Array.from({ length: 64 }, (_, i) => i);

  await fillOtp(chip, otp);
  await assert.rejects(readOtp(chip), forbidden);

  const { chip: locked } = await provisionedChip();
  await assert.rejects(fillOtp(locked, otp), forbidden);
  assert.equal((await readOtp(locked))[0], "m".charCodeAt(0));
});

test("the chip's data summary is ours, for contents of any length", async () => {
  const { chip } = await configuredChip();
  const config = await readConfigZone(chip);
  const publicKeys = new Map<number, Uint8Array>();
  for (const slot of [0, 1, 2, 3]) publicKeys.set(slot, await createKey(chip, slot));
  const made = contentsFor({ serialNumber: config.serialNumber, publicKeys });
  const contents = { slots: new Map([...made.slots, [5, Uint8Array.of(1, 2, 3)]]), otp: Uint8Array.of(7) };

  for (let slot = 4; slot < 16; slot++)
    await fillSlot(chip, slot, contents.slots.get(slot) ?? new Uint8Array(0));
  await fillOtp(chip, contents.otp);
  await lockDataZone(chip, dataSummaryCrc(config, contents));

  assert.ok(isDataLocked(await readConfigZone(chip)));
});

test("content that is too long, or no whole words, is refused before anything is sent", async () => {
  const station = makeStation();
  const chip = station.chip();

  const refused = { code: "zone_address_invalid" } as const;
  await assert.rejects(fillSlot(chip, 10, new Uint8Array(73)), refused);
  await assert.rejects(fillSlot(chip, 16, new Uint8Array(1)), refused);
  await assert.rejects(overwriteSlot(chip, 10, new Uint8Array(6)), refused);
  await assert.rejects(overwriteSlot(chip, 10, new Uint8Array(76)), refused);
  await assert.rejects(fillOtp(chip, new Uint8Array(65)), refused);
  assert.equal(station.transactions, 0);
});

test("UserExtra is written once", async () => {
  const chip = makeStation().chip();

  await updateExtra(chip, "user-extra", 0x42);

  assert.equal((await readConfigZone(chip)).userExtra, 0x42);
  await assert.rejects(updateExtra(chip, "user-extra", 0x43), ChipError);
});

test("a healthy chip's self-test finds nothing", async () => {
  assert.deepEqual(await selfTest(makeStation().chip()), []);
});

test("the bits of a failed self-test are its engines, and other statuses stay errors", async () => {
  const failing = (status: number) => brokenChip(new ChipError("chip_status_unknown", "failed", { status }));

  assert.deepEqual(await selfTest(failing(0x08)), ["ecdh"]);
  assert.deepEqual(await selfTest(failing(0x3b)), ["rng", "ecdsa", "ecdh", "aes", "sha"]);
  for (const status of [0x03, 0x0f, 0xee, 0xff]) await assert.rejects(selfTest(failing(status)), ChipError);
});
