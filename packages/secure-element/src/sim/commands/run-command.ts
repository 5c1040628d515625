/** Opcode to command. What is not in the table answers 03. */

import type { ChipCore, Command, Outcome } from "../chip-core.ts";
import { parseError, statusAnswer } from "../chip-core.ts";
import { opcode } from "../opcodes.ts";
import { chipStatus } from "../status.ts";
import { counter } from "./counter.ts";
import { genKey } from "./gen-key.ts";
import { info } from "./info.ts";
import { lock } from "./lock.ts";
import { checkMac, genDig, mac } from "./mac.ts";
import { nonce, random } from "./random-nonce.ts";
import { read, write } from "./read-write.ts";
import { selfTest } from "./self-test.ts";
import { sha } from "./sha.ts";
import { sign } from "./sign.ts";
import { updateExtra } from "./update-extra.ts";
import { verify } from "./verify.ts";

const commands: Readonly<Record<number, (core: ChipCore, command: Command) => Outcome>> = {
  [opcode.info]: info,
  [opcode.random]: random,
  [opcode.nonce]: nonce,
  [opcode.genKey]: genKey,
  [opcode.sign]: sign,
  [opcode.verify]: verify,
  [opcode.read]: read,
  [opcode.write]: write,
  [opcode.lock]: lock,
  [opcode.counter]: counter,
  [opcode.updateExtra]: updateExtra,
  [opcode.selfTest]: selfTest,
  [opcode.sha]: sha,
  [opcode.mac]: mac,
  [opcode.checkMac]: checkMac,
  [opcode.genDig]: genDig,
};

/** Carries a command out. Volatile stores change at once, EEPROM by the writes of the answer. */
export function runCommand(core: ChipCore, command: Command): Outcome {
  if (core.selfTestFailed && command.opcode !== opcode.selfTest) return statusAnswer(chipStatus.selfTest);
  const run = commands[command.opcode];
  return run === undefined ? parseError() : run(core, command);
}
