/** GenKey (40): makes private keys, computes public ones, and digests public keys into TempKey. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, done, executionError, isNewPart, parseError, statusAnswer } from "../chip-core.ts";
import { REQ_AUTH_COVERS_PUBLIC_KEY, STATUS_OF_BLANK_PRIVATE_SLOT } from "../doubts.ts";
import { SLOT_COUNT, slotOffset } from "../eeprom.ts";
import { opcode } from "../opcodes.ts";
import { sha256Of } from "../sim-crypto.ts";
import {
  isP256Private,
  isP256Public,
  isUseAllowed,
  mayComputePublicKey,
  mayGenKeyAfterLock,
  privateKeyBytes,
  storedPublicKey,
} from "../slot-policy.ts";
import { chipStatus } from "../status.ts";
import { fixedTempKey } from "../volatile-state.ts";

const CREATE = 0x04;
const DIGEST = 0x08;
const STORED_PUBLIC_KEY = 0x10;
const TEMP_KEY_SLOT = 0xffff;

export function genKey(core: ChipCore, command: Command): Outcome {
  const { param1: mode, param2: slot, data } = command;
  const usesTempKey = slot === TEMP_KEY_SLOT && isNewPart(core) && (mode & ~CREATE) === 0;
  if (slot >= SLOT_COUNT && !usesTempKey) return parseError();
  if (mode === STORED_PUBLIC_KEY) return data.length === 3 ? digestStoredKey(core, command) : parseError();
  if ((mode & ~(CREATE | DIGEST)) !== 0 || data.length !== 0) return parseError();
  if (!core.eeprom.isConfigLocked()) return executionError();
  if (usesTempKey) return ephemeralKey(core, mode);
  if (!isP256Private(core, slot)) return executionError();
  if ((mode & DIGEST) !== 0 && core.volatile.tempKey === undefined) return executionError();
  return (mode & CREATE) !== 0 ? createKey(core, command) : publicKey(core, command);
}

function createKey(core: ChipCore, command: Command): Outcome {
  const slot = command.param2;
  if (core.eeprom.isSlotLocked(slot)) return executionError();
  // Before the data lock a key may be made in every private slot, whatever WriteConfig says.
  if (core.eeprom.isDataLocked() && !(mayGenKeyAfterLock(core, slot) && isUseAllowed(core, slot)))
    return executionError();

  const secret = core.random.bytes(32);
  const made = core.crypto.publicKeyOf(secret);
  if (made === undefined) return statusAnswer(chipStatus.eccFault);
  digestIntoTempKey(core, command, made);
  const stored = new Uint8Array(36);
  stored.set(secret, 4);
  return answer(made, [{ offset: slotOffset(slot), bytes: stored }]);
}

function publicKey(core: ChipCore, command: Command): Outcome {
  const slot = command.param2;
  if (!mayComputePublicKey(core, slot)) return executionError();
  if (REQ_AUTH_COVERS_PUBLIC_KEY && !isUseAllowed(core, slot)) return executionError();
  const key = core.crypto.publicKeyOf(privateKeyBytes(core, slot));
  if (key === undefined) return statusAnswer(STATUS_OF_BLANK_PRIVATE_SLOT);
  digestIntoTempKey(core, command, key);
  return answer(key);
}

function ephemeralKey(core: ChipCore, mode: number): Outcome {
  if ((mode & CREATE) !== 0) {
    const secret = core.random.bytes(32);
    const made = core.crypto.publicKeyOf(secret);
    if (made === undefined) return statusAnswer(chipStatus.eccFault);
    core.volatile.tempKey = { ...fixedTempKey(secret), source: "random" };
    return answer(made);
  }
  const secret = core.volatile.tempKey?.value;
  const key = secret?.length === 32 ? core.crypto.publicKeyOf(secret) : undefined;
  return key === undefined ? executionError() : answer(key);
}

function digestStoredKey(core: ChipCore, command: Command): Outcome {
  const slot = command.param2;
  if (!core.eeprom.isConfigLocked() || core.volatile.tempKey === undefined) return executionError();
  if (!isP256Public(core, slot)) return executionError();
  digestIntoTempKey(core, command, storedPublicKey(core, slot));
  return done();
}

/** TempKey = SHA-256(TempKey | 40 | mode | keyId LE | SN[8] | SN[0:1] | 25 zeros | X | Y); mode 10 puts the host's 3 bytes in place of mode and keyId. */
function digestIntoTempKey(core: ChipCore, command: Command, key: Uint8Array): void {
  const before = core.volatile.tempKey;
  if (before === undefined || (command.param1 & (DIGEST | STORED_PUBLIC_KEY)) === 0) return;
  const serial = core.eeprom.serial();
  const described =
    command.param1 === STORED_PUBLIC_KEY
      ? command.data
      : Uint8Array.of(command.param1, command.param2 & 0xff, command.param2 >> 8);
  const value = sha256Of(core.crypto, [
    before.value.subarray(0, 32),
    Uint8Array.of(opcode.genKey),
    described,
    serial.subarray(8, 9),
    serial.subarray(0, 2),
    new Uint8Array(25),
    key,
  ]);
  core.volatile.tempKey = { ...before, value, keyId: command.param2, genDigData: false, genKeyData: true };
}
