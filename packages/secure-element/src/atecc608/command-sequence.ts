/**
 * One run of commands on an awake chip: each tried again where that is safe, and the whole given up where the chip
 * forgot what earlier commands put into it.
 *
 * The judgement is one table, {@link CommandSequence.execute}. "Resend" is for commands that did not happen or do not
 * mind happening twice; "lose" ends this run, and `command-runner.ts` decides whether another begins.
 */
import { ChipError, type ChipErrorCode } from "./chip-error.ts";
import type { ChipLink } from "./chip-link.ts";
import type { ChipPower } from "./chip-power.ts";
import type { ChipTraits, CommandPort } from "./command-port.ts";
import { type ExchangeOutcome, exchange, type ReadingStyle } from "./exchange.ts";
import { dependsOnTraits, executionMillisMax, firstPollMillis } from "./execution-times.ts";
import { hasLastingEffect, opcodes, statuses } from "./opcodes.ts";
import { COMMAND_DATA_BYTES_MAX, encodeCommand } from "./packet.ts";

/** Times a group is sent before a damaged packet becomes the caller's error. */
export const SENDS_MAX = 3;

/** What all sequences of a chip share. */
export interface ChipContext {
  readonly link: ChipLink;
  readonly power: ChipPower;
  readonly style: ReadingStyle;
  traits: ChipTraits | undefined;
  readTraits(port: CommandPort): Promise<ChipTraits>;
}

/** Why a run ended early. */
export interface LostSequence {
  readonly error: ChipError;
  /** A computation that failed is tried once more, a chip that forgot as often as allowed. */
  readonly again: "once" | "often";
}

export class CommandSequence implements CommandPort {
  readonly #context: ChipContext;
  #lost: LostSequence | undefined;
  #mayNotRepeat = false;
  #isOver = false;
  #isFirst = true;

  constructor(context: ChipContext) {
    this.#context = context;
  }

  get lost(): LostSequence | undefined {
    return this.#lost;
  }

  /** Something of lasting effect was, or may have been, carried out. */
  get mayNotRepeat(): boolean {
    return this.#mayNotRepeat;
  }

  end(): void {
    this.#isOver = true;
  }

  async together<T>(run: (chip: CommandPort) => Promise<T>): Promise<T> {
    return await run(this);
  }

  async traits(): Promise<ChipTraits> {
    this.#context.traits ??= await this.#context.readTraits(this);
    this.#context.power.setWatchdog(this.#context.traits.hasLongWatchdog ? "long" : "short");
    return this.#context.traits;
  }

  async execute(
    opcode: number,
    param1: number,
    param2: number,
    data: Uint8Array,
    responseBytes: number,
  ): Promise<Uint8Array> {
    if (this.#isOver) throw new ChipError("sequence_over", "this sequence of commands has ended", { opcode });
    if (this.#lost !== undefined) throw this.#lost.error;
    if (data.length > COMMAND_DATA_BYTES_MAX) {
      throw new ChipError("request_invalid", `a command carries ${COMMAND_DATA_BYTES_MAX} bytes at most`, {
        opcode,
      });
    }
    // Read, by which a chip is asked for its traits, leaves TempKey and digest buffer alone.
    if (dependsOnTraits(opcode)) await this.traits();
    const frame = encodeCommand(opcode, param1, param2, data);
    const isLasting = hasLastingEffect(opcode, param1);

    await this.#clearOutput(opcode, responseBytes);
    for (let send = 1; ; send++) {
      const isLastSend = send >= SENDS_MAX;
      await this.#makeTimeFor(opcode);
      const outcome = await this.#exchange(opcode, frame, responseBytes);
      this.#isFirst = false;
      this.#context.power.noteOutput(outputBytesAfter(outcome, responseBytes));
      if (isLasting && mayHaveHappened(outcome)) this.#mayNotRepeat = true;
      switch (outcome.kind) {
        case "data":
          if (outcome.data.length !== responseBytes)
            return this.#lose("response_unexpected", opcode, "often");
          return outcome.data;
        case "malformed":
          if (isLasting) throw failure("response_crc", opcode);
          if (!canBeResent(opcode, param1)) return this.#lose("response_crc", opcode, "often");
          if (isLastSend) throw failure("response_crc", opcode);
          continue;
        case "not_taken":
          // Asleep by watchdog or reset, or gone: waking it again will tell.
          return this.#lose("chip_reset", opcode, "often");
        case "silent":
          return this.#lose("chip_busy_timeout", opcode, "often");
        case "status":
          break;
      }
      const status = outcome.status;
      switch (status) {
        case statuses.success:
          this.#forgetTraitsAfter(opcode, param1);
          if (responseBytes !== 0) return this.#lose("response_unexpected", opcode, "often");
          return new Uint8Array(0);
        case statuses.crcOrCommunication:
          if (isLastSend) throw failure("command_crc", opcode, status);
          continue;
        case statuses.afterWake:
          return this.#lose("chip_reset", opcode, "often", status);
        case statuses.watchdogAboutToExpire:
          await this.#context.power.refresh();
          return this.#lose("watchdog_expired", opcode, "often", status);
        case statuses.eccFault:
        case statuses.healthTestError:
          // SelfTest answers with a bit map that may look like these two.
          if (opcode === opcodes.selfTest) throw failure(statusCode(status), opcode, status);
          return this.#lose(statusCode(status), opcode, "once", status);
        default:
          throw failure(statusCode(status), opcode, status);
      }
    }
  }

  /**
   * Sees to it that the answer of the last command cannot pass for the answer of this one.
   *
   * A group whose word address was damaged on its way is acknowledged and goes nowhere; what is read next is the old
   * answer, with a good CRC: the key of another slot, or Nonce's "success" in the place of Verify's. Where both are of
   * one length, idle and wake put "just woken" into the buffer first, and keep TempKey and the digest.
   */
  async #clearOutput(opcode: number, responseBytes: number): Promise<void> {
    if (this.#context.power.outputBytes === responseBytes) await this.#refresh(opcode);
  }

  async #makeTimeFor(opcode: number): Promise<void> {
    const { power, traits } = this.#context;
    if (!power.hasTimeFor(executionMillisMax(opcode, traits))) await this.#refresh(opcode);
  }

  async #refresh(opcode: number): Promise<void> {
    const isKept = await this.#context.power.refresh();
    if (!isKept && !this.#isFirst) this.#lose("chip_reset", opcode, "often");
  }

  async #exchange(opcode: number, frame: Uint8Array, responseBytes: number): Promise<ExchangeOutcome> {
    const { link, style, traits } = this.#context;
    return await exchange(link, style, frame, responseBytes, {
      firstPollMillis: firstPollMillis(opcode, traits),
      executionMillisMax: executionMillisMax(opcode, traits),
    });
  }

  /** ChipMode may have been written: ask again before it matters. */
  #forgetTraitsAfter(opcode: number, param1: number): void {
    const isConfigWrite = opcode === opcodes.write && (param1 & 0x03) === 0;
    if (isConfigWrite) this.#context.traits = undefined;
  }

  #lose(code: ChipErrorCode, opcode: number, again: LostSequence["again"], status?: number): never {
    const error = failure(code, opcode, status);
    this.#lost = { error, again };
    throw error;
  }
}

/** What lies in the output buffer now. After a damaged answer it may be of the length asked for. */
function outputBytesAfter(outcome: ExchangeOutcome, responseBytes: number): number | undefined {
  switch (outcome.kind) {
    case "data":
      return outcome.data.length;
    case "status":
      return 0;
    default:
      return responseBytes;
  }
}

/** Only a group that was surely not carried out leaves no doubt. */
function mayHaveHappened(outcome: ExchangeOutcome): boolean {
  if (outcome.kind === "not_taken") return false;
  return (
    outcome.kind !== "status" || outcome.status === statuses.success || outcome.status === statuses.afterWake
  );
}

/** Does the command leave the chip's memory as it needs it, so that sending it again asks the same question? */
function canBeResent(opcode: number, param1: number): boolean {
  switch (opcode) {
    case opcodes.info:
    case opcodes.read:
    case opcodes.random:
    case opcodes.nonce:
    case opcodes.counter:
    case opcodes.write:
      return true;
    case opcodes.genKey:
      // With 08 it makes a digest over TempKey and puts it there: twice is not once.
      return (param1 & 0x08) === 0;
    default:
      return false;
  }
}

function statusCode(status: number): ChipErrorCode {
  switch (status) {
    case statuses.miscompare:
      return "chip_status_miscompare";
    case statuses.parseError:
      return "chip_status_parse";
    case statuses.eccFault:
      return "chip_status_ecc_fault";
    case statuses.selfTestError:
      return "chip_status_self_test";
    case statuses.healthTestError:
      return "chip_status_health_test";
    case statuses.executionError:
      return "chip_status_execution";
    default:
      return "chip_status_unknown";
  }
}

function failure(code: ChipErrorCode, opcode: number, status?: number): ChipError {
  const name = `command 0x${opcode.toString(16).padStart(2, "0")}`;
  const facts = status === undefined ? { opcode } : { opcode, status };
  return new ChipError(code, `${name}: ${sentences[code] ?? code}`, facts);
}

const sentences: Partial<Record<ChipErrorCode, string>> = {
  chip_reset: "the chip was reset or fell asleep before it answered; a supply that sags under load does this",
  chip_busy_timeout: "no answer within the vendor's maximum execution time",
  watchdog_expired: "the watchdog left no time for it",
  command_crc: "the chip says the packet arrives damaged",
  response_crc: "its answer arrives damaged",
  response_unexpected: "the answer has a length this command does not have",
  chip_status_miscompare: "not equal",
  chip_status_parse: "the chip does not know this command, or not with these parameters",
  chip_status_ecc_fault: "the computation failed",
  chip_status_self_test: "the chip failed a self-test",
  chip_status_health_test: "the chip's random number generator is not healthy",
  chip_status_execution: "the chip's configuration, locks or state forbid it",
};
