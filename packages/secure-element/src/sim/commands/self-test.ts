/** SelfTest (77): a bit for each engine that failed, 00 where none did. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { answer, isNewPart, parseError, statusAnswer } from "../chip-core.ts";
import { STATUS_OF_SELF_TEST_OF_NOTHING } from "../doubts.ts";

const ALL_ENGINES = 0x3b | 0x04;

export function selfTest(core: ChipCore, command: Command): Outcome {
  const { param1, param2, data } = command;
  if (!isNewPart(core) || (param1 & ~ALL_ENGINES) !== 0 || param2 !== 0 || data.length !== 0)
    return parseError();
  if (param1 === 0) return statusAnswer(STATUS_OF_SELF_TEST_OF_NOTHING);
  if (core.drawsSelfTestFailure()) {
    core.selfTestFailed = true;
    return answer(Uint8Array.of(param1));
  }
  return answer(Uint8Array.of(0));
}
