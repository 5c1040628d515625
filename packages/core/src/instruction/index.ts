/**
 * Front door of instructions: what the operator's side asks of a device's keys, and what the device answers.
 */
export {
  formatInstruction,
  type Instruction,
  type InstructionOrder,
  instructionBytesMax,
  instructionNumberMax,
  instructionSecondsMax,
  isName,
  offerChallengeBytes,
  parseInstruction,
} from "./instruction.ts";
export { InstructionError, type InstructionErrorCode } from "./instruction-error.ts";
export {
  formatInstructionResult,
  type InstructionOutcome,
  type InstructionResult,
  parseInstructionResult,
  resultBytesMax,
} from "./instruction-result.ts";
export {
  instructionSubfolder,
  isReservedCommand,
  keyOfferSubfolder,
  resultSubfolder,
} from "./subfolders.ts";
