/** Random (1B) and Nonce (16): the chip's numbers, and the way a digest gets in. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, done, isNewPart, parseError } from "../chip-core.ts";
import { UNLOCKED_RANDOM_PATTERN } from "../doubts.ts";
import { opcode } from "../opcodes.ts";
import { sha256Of } from "../sim-crypto.ts";
import { fixedTempKey } from "../volatile-state.ts";

const RANDOM_BYTES = 32;
const NUM_IN_BYTES = 20;
const RETURN_TEMP_KEY = 0x8000;

/** Thirty-two bytes; a pattern anybody knows while the configuration is open. */
function drawRandom(core: ChipCore): Uint8Array {
  if (core.eeprom.isConfigLocked()) return core.random.bytes(RANDOM_BYTES);
  const pattern = UNLOCKED_RANDOM_PATTERN;
  return Uint8Array.from({ length: RANDOM_BYTES }, (_, index) => pattern[index % pattern.length] ?? 0);
}

export function random(core: ChipCore, command: Command): Outcome {
  if (command.param1 > 0x01 || command.param2 !== 0 || command.data.length !== 0) return parseError();
  return answer(drawRandom(core));
}

export function nonce(core: ChipCore, command: Command): Outcome {
  switch (command.param1 & 0x03) {
    case 0x00:
    case 0x01:
      return randomNonce(core, command);
    case 0x03:
      return passThrough(core, command);
    default:
      return parseError();
  }
}

function randomNonce(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  if (param1 > 0x01 || data.length !== NUM_IN_BYTES) return parseError();
  if (param2 !== 0 && !(param2 === RETURN_TEMP_KEY && isNewPart(core))) return parseError();

  const randOut = drawRandom(core);
  const value = sha256Of(core.crypto, [randOut, data, Uint8Array.of(opcode.nonce, param1, 0x00)]);
  core.volatile.tempKey = { ...fixedTempKey(value), source: "random" };
  return answer(param2 === RETURN_TEMP_KEY ? value : randOut);
}

function passThrough(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  const length = (param1 & 0x20) !== 0 ? 64 : 32;
  const target = param1 & 0xc0;
  const isKnown = (param1 & 0x1c) === 0 && target !== 0xc0 && !(target === 0x80 && length === 64);
  if (!isKnown || param2 !== 0 || data.length !== length) return parseError();
  // The 508A has TempKey only, and 32 bytes of it.
  if (!isNewPart(core) && param1 !== 0x03) return parseError();

  if (target === 0x00) core.volatile.tempKey = fixedTempKey(data);
  else if (target === 0x40) core.volatile.messageDigestBuffer = data;
  else core.volatile.alternateKeyBuffer = data;
  return done();
}
