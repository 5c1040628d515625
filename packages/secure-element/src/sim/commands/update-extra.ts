/** UpdateExtra (20): UserExtra and UserExtraAdd, each written once. Decrementing limited uses (mode 02) is not done. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { done, executionError, parseError } from "../chip-core.ts";
import { UPDATE_EXTRA_NEEDS_CONFIG_LOCK } from "../doubts.ts";

const USER_EXTRA_BYTE = 84;

export function updateExtra(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  if (param1 > 0x01 || param2 > 0xff || data.length !== 0) return parseError();
  if (UPDATE_EXTRA_NEEDS_CONFIG_LOCK && !core.eeprom.isConfigLocked()) return executionError();
  const offset = USER_EXTRA_BYTE + param1;
  if (core.eeprom.configByte(offset) !== 0) return executionError();
  return done([{ offset, bytes: Uint8Array.of(param2) }]);
}
