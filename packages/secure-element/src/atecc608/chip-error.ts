/**
 * What can go wrong between a host and its chip: a closed set of codes, told apart by what an operator would do.
 */

export type ChipErrorCode =
  /** Nobody acknowledges the address, also after wake pulses: wrong address, no supply, no chip. */
  | "chip_absent"
  /** Something answers the wake pulse, but never as an ATECC does. */
  | "chip_wake_malformed"
  /** The command was still executing past the vendor's maximum. */
  | "chip_busy_timeout"
  /** The chip forgot the sequence again and again: it was reset, as by a supply that sags under load. */
  | "chip_reset"
  /** The chip's watchdog left no time for the command, several times. */
  | "watchdog_expired"
  /** The chip says our packets arrive damaged. */
  | "command_crc"
  /** Its answers arrive damaged. A command of lasting effect may have been carried out. */
  | "response_crc"
  /** A well-formed answer of a length this command does not have. */
  | "response_unexpected"
  /** 01: CheckMac or Verify: not equal. */
  | "chip_status_miscompare"
  /** 03: no such command, or a length or parameter it does not take. */
  | "chip_status_parse"
  /** 05: the computation failed; retried. */
  | "chip_status_ecc_fault"
  /** 07: failed self-test; the chip computes nothing until it passes one, as at power-up. */
  | "chip_status_self_test"
  /** 08: its random number generator is not healthy; retried. */
  | "chip_status_health_test"
  /** 0F: the configuration, a lock or the state of the chip forbids it. */
  | "chip_status_execution"
  | "chip_status_unknown"
  /** Neither a 608 nor a 508A, by its revision. */
  | "part_unknown"
  /** The configuration is not locked: such a chip's "random" numbers are a constant. */
  | "random_not_random"
  /** Too many callers wait for the chip. */
  | "queue_full"
  /** A command was given to a sequence that has ended. */
  | "sequence_over"
  | "bus_stuck"
  | "bus_failed"
  | "bus_closed"
  /** The caller asks for what this part cannot do, or with a value out of range. Nothing was sent. */
  | "request_invalid";

/** The chip or the way to it failed. `code` is stable; `message` is for people and may change. */
export class ChipError extends Error {
  override readonly name = "ChipError";
  readonly code: ChipErrorCode;
  /** Facts fit for a log (`opcode`, `status`, `address` …): never a key, a digest or a signature. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(
    code: ChipErrorCode,
    message: string,
    facts: ChipError["facts"] = {},
    options?: { readonly cause?: unknown },
  ) {
    super(message);
    this.code = code;
    this.facts = facts;
    if (options !== undefined) this.cause = options.cause;
  }
  override cause?: unknown;
}
