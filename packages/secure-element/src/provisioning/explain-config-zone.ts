/**
 * A configuration in plain sentences, for the engineer who is about to lock it.
 *
 * Says what will hold once both zones are locked, and names every setting that is not at rest. No bit numbers
 * and no hexadecimal words but the address: those are in the diff.
 */
import {
  type ConfiguredSlot,
  type ConfigZone,
  clockDividers,
  isConfigLocked,
  isDataLocked,
  isSlotLocked,
} from "./config-zone.ts";
import { keyTypes, type SlotRights, slotRights } from "./slot-config.ts";

export interface Explanation {
  readonly chip: readonly string[];
  /** 16 entries, each the sentences about one slot. */
  readonly slots: readonly (readonly string[])[];
}

export function explainConfigZone(zone: ConfigZone): Explanation {
  return {
    chip: [...explainLocks(zone), ...explainAddress(zone), ...explainMode(zone), ...explainSpecials(zone)],
    slots: zone.slots.map((configured, slot) => explainSlot(configured, slot, zone)),
  };
}

function explainLocks(zone: ConfigZone): readonly string[] {
  return [
    isConfigLocked(zone)
      ? "The configuration is locked. It can never change again."
      : "The configuration is open. It can still be changed.",
    isDataLocked(zone)
      ? "The data zone is locked. The rights below are in force."
      : "The data zone is open. The rights below are not in force yet.",
  ];
}

function explainAddress(zone: ConfigZone): readonly string[] {
  const sentences = [`The chip answers at I2C address ${addressText(zone.i2cAddress)}.`];
  if (!zone.chipMode.addressFromUserExtra) return sentences;
  sentences.push(
    zone.userExtraAddress === 0
      ? "The address can be changed once more, by UpdateExtra."
      : `UpdateExtra has moved it to ${addressText(zone.userExtraAddress)}.`,
  );
  return sentences;
}

function addressText(eightBit: number): string {
  return `0x${(eightBit >> 1).toString(16).padStart(2, "0")}`;
}

function explainMode({ chipMode }: ConfigZone): readonly string[] {
  const sentences: string[] = [];
  switch (chipMode.clockDivider) {
    case clockDividers.m0:
      sentences.push("It runs at its fast clock. A signature takes up to 115 ms.");
      break;
    case clockDividers.m1:
      sentences.push("It runs at its middle clock. A signature takes up to 220 ms.");
      break;
    case clockDividers.m2:
      sentences.push("It runs at its slow clock. A signature takes up to 665 ms.");
      break;
    default:
      sentences.push(`Its clock setting ${chipMode.clockDivider} is not known to us.`);
  }
  sentences.push(
    chipMode.watchdog === "short"
      ? "It falls asleep 0.7 to 1.7 s after it was woken."
      : "It falls asleep about 13 s after it was woken.",
  );
  if (chipMode.levelFromSupply) sentences.push("It measures the bus levels against its own supply.");
  return sentences;
}

function explainSpecials(zone: ConfigZone): readonly string[] {
  const sentences: string[] = [];
  const { countMatch, useLock, secureBoot, chipOptions } = zone;
  if (countMatch.enabled) sentences.push(`Counter 0 stops at a limit kept in slot ${countMatch.slot}.`);
  zone.counters.forEach((counter, index) => {
    if (counter.kind === "malformed") sentences.push(`Counter ${index} holds bytes that mean no number.`);
    else if (counter.value > 0) sentences.push(`Counter ${index} stands at ${counter.value}.`);
  });
  if (useLock.enable !== 0) sentences.push(`The use lock is set, with slot ${useLock.slot}.`);
  if (zone.volatileKeyPermission !== 0) sentences.push("The volatile key permission is set.");
  if (secureBoot.mode !== 0) {
    sentences.push(
      `Secure boot is on: key in slot ${secureBoot.keySlot}, digest in slot ${secureBoot.digestSlot}.`,
    );
  }
  if (chipOptions.powerOnSelfTest) sentences.push("It tests itself at power-up, so it wakes in 20 ms.");
  if (chipOptions.ioProtectionKey) {
    sentences.push(`An I/O protection key is in force, in slot ${chipOptions.ioProtectionSlot}.`);
  }
  return sentences;
}

function explainSlot(configured: ConfiguredSlot, slot: number, zone: ConfigZone): readonly string[] {
  const rights = slotRights(configured.slot, configured.key);
  const sentences =
    rights.kind === "private-key"
      ? explainPrivateKey(configured, rights, slot)
      : explainContent(configured, rights, slot);
  return [...sentences, ...explainSlotLock(configured, slot, zone)];
}

function explainPrivateKey({ slot, key }: ConfiguredSlot, rights: SlotRights, at: number): string[] {
  const sentences = [
    key.keyType === keyTypes.p256
      ? `Slot ${at} holds a private key.`
      : `Slot ${at} is marked as a private key, but of a type the chip cannot use.`,
  ];
  if (!slot.isSecret) sentences.push("It is not marked secret, so it might be read.");
  sentences.push(explainSigning(rights));
  if (rights.ecdh) sentences.push("It can agree on secrets with others (ECDH).");
  sentences.push(
    key.pubInfo ? "The chip tells its public key." : "The chip never tells its public key again.",
    rights.genKeyAfterLock
      ? "A new key can be made here at any time. That destroys the old one at once."
      : "The key in it at the data lock stays for ever. Nobody can replace it.",
  );
  if (rights.privWrite) sentences.push("A key can be brought in from outside.");
  if (key.reqAuth) sentences.push(`Before each use the host must prove the secret of slot ${key.authKey}.`);
  if (key.reqRandom) sentences.push("It wants a fresh random number before each use.");
  if (key.persistentDisable) sentences.push("It works only while the chip's latch is set.");
  if (slot.limitedUse) sentences.push("Each use is counted, and the uses run out.");
  return sentences;
}

function explainSigning({ externalSign, internalSign }: SlotRights): string {
  if (externalSign && internalSign) return "It signs what the host sends and what the chip finds out.";
  if (externalSign) return "It signs what the host sends.";
  if (internalSign) return "It signs only what the chip itself finds out about its keys.";
  return "It signs nothing.";
}

function explainContent({ slot, key }: ConfiguredSlot, rights: SlotRights, at: number): string[] {
  const noun = { "public-key": "a public key", secret: "a secret", data: "data", "private-key": "a key" };
  const sentences = [`Slot ${at} holds ${noun[rights.kind]}.`];
  switch (rights.readable) {
    case "clear":
      sentences.push("Anybody can read it.");
      break;
    case "encrypted":
      sentences.push(`Only who knows the secret of slot ${slot.readKey} can read it.`);
      break;
    case "never":
      sentences.push("Nobody can read it.");
  }
  switch (rights.writable) {
    case "always":
      sentences.push("Anybody can overwrite it.");
      break;
    case "encrypted":
      sentences.push(`Only who knows the secret of slot ${slot.writeKey} can overwrite it.`);
      break;
    case "when-invalid":
      sentences.push("It can be overwritten only while the chip holds it for invalid.");
      break;
    case "never":
      sentences.push("Nobody can overwrite it after the data lock.");
  }
  if (key.reqAuth) sentences.push(`Before each use the host must prove the secret of slot ${key.authKey}.`);
  if (slot.limitedUse) sentences.push("Each use is counted, and the uses run out.");
  return sentences;
}

function explainSlotLock({ key }: ConfiguredSlot, slot: number, zone: ConfigZone): readonly string[] {
  if (isSlotLocked(zone, slot)) return ["The slot is locked for ever."];
  return key.lockable ? ["The slot can be locked for ever later."] : [];
}
