/**
 * Why a text is not an instruction we could carry out.
 */
export type InstructionErrorCode =
  | "instruction_too_large"
  | "instruction_malformed"
  /** Of a version this program does not know; `number` where it could be read. */
  | "instruction_version_unknown"
  /** Well-formed, and asks for something this program does not know; `number` says of which instruction. */
  | "instruction_scope_unknown";

/** A text was refused as an instruction. `message` names the rule and never quotes the text. */
export class InstructionError extends Error {
  override readonly name = "InstructionError";
  readonly code: InstructionErrorCode;
  /** Of the instruction, where it could be read: whoever refuses it can say which one. */
  readonly number: number | undefined;

  constructor(code: InstructionErrorCode, message: string, number?: number) {
    super(message);
    this.code = code;
    this.number = number;
  }
}
