/** Info (30): revision, key validity, TempKey state, the persistent latch. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, executionError, isNewPart, parseError, statusAnswer } from "../chip-core.ts";
import { INFO_STATE_BITS, KEY_VALID_BYTE, STATUS_OF_INFO_GPIO } from "../doubts.ts";
import { SLOT_COUNT } from "../eeprom.ts";
import {
  isP256Private,
  isP256Public,
  mayDriveLatch,
  privateKeyBytes,
  storedPublicKey,
} from "../slot-policy.ts";

const LATCH_SET = 0x02;
const LATCH_VALUE = 0x01;

export function info(core: ChipCore, command: Command): Outcome {
  if (command.data.length !== 0) return parseError();
  switch (command.param1) {
    case 0x00:
      return answer(core.eeprom.config().slice(4, 8));
    case 0x01:
      return keyValid(core, command.param2);
    case 0x02:
      return tempKeyState(core);
    case 0x03:
      return statusAnswer(STATUS_OF_INFO_GPIO);
    case 0x04:
      return isNewPart(core) ? latch(core, command.param2) : parseError();
    default:
      return parseError();
  }
}

function keyValid(core: ChipCore, slot: number): Outcome {
  if (slot >= SLOT_COUNT) return parseError();
  const isValid = isP256Private(core, slot)
    ? core.crypto.publicKeyOf(privateKeyBytes(core, slot)) !== undefined
    : isP256Public(core, slot) && core.crypto.isPublicKey(storedPublicKey(core, slot));
  const data = new Uint8Array(4);
  if (isValid) data[KEY_VALID_BYTE] = 1;
  return answer(data);
}

function tempKeyState(core: ChipCore): Outcome {
  const data = new Uint8Array(4);
  const key = core.volatile.tempKey;
  if (key !== undefined) {
    data[0] =
      key.keyId |
      (key.source === "fixed" ? INFO_STATE_BITS.source : 0) |
      (key.genDigData ? INFO_STATE_BITS.genDig : 0) |
      (key.genKeyData ? INFO_STATE_BITS.genKey : 0) |
      (key.noMac ? INFO_STATE_BITS.noMac : 0);
    data[1] = INFO_STATE_BITS.validInByte1;
  }
  return answer(data);
}

function latch(core: ChipCore, param2: number): Outcome {
  if (param2 > (LATCH_SET | LATCH_VALUE)) return parseError();
  if ((param2 & LATCH_SET) !== 0) {
    if (!mayDriveLatch(core)) return executionError();
    core.persistentLatch = param2 & LATCH_VALUE;
  }
  return answer(Uint8Array.of(core.persistentLatch, 0, 0, 0));
}
