/**
 * Sequences of commands, one after another: who runs when, and what is begun again.
 */
import type { ChipTime, I2cBus } from "../bus.ts";
import { ChipError } from "./chip-error.ts";
import { ChipLink } from "./chip-link.ts";
import { ChipPower } from "./chip-power.ts";
import { type ChipPart, type ChipTraits, type CommandPort, SEQUENCE_ATTEMPTS_MAX } from "./command-port.ts";
import { CommandQueue } from "./command-queue.ts";
import { type ChipContext, CommandSequence, type LostSequence } from "./command-sequence.ts";
import type { ReadingStyle } from "./exchange.ts";
import { readTraits } from "./traits.ts";

export class CommandRunner implements CommandPort {
  readonly #context: ChipContext;
  readonly #queue = new CommandQueue();

  constructor(
    bus: I2cBus,
    options: {
      readonly address: number;
      readonly time: ChipTime;
      readonly part: ChipPart | undefined;
      readonly style: ReadingStyle;
    },
  ) {
    const link = new ChipLink(bus, options.address, options.time);
    this.#context = {
      link,
      power: new ChipPower(link),
      style: options.style,
      traits: undefined,
      readTraits: (port) => readTraits(port, options.part),
    };
  }

  async execute(
    opcode: number,
    param1: number,
    param2: number,
    data: Uint8Array,
    responseBytes: number,
  ): Promise<Uint8Array> {
    return await this.together((chip) => chip.execute(opcode, param1, param2, data, responseBytes));
  }

  async traits(): Promise<ChipTraits> {
    return this.#context.traits ?? (await this.together((chip) => chip.traits()));
  }

  async together<T>(run: (chip: CommandPort) => Promise<T>): Promise<T> {
    return await this.#queue.enqueue(() => this.#attempt(run));
  }

  /** Puts the chip to sleep once those who wait are served. */
  async sleep(): Promise<void> {
    await this.#queue.enqueue(() => this.#context.power.sleep());
  }

  async #attempt<T>(run: (chip: CommandPort) => Promise<T>): Promise<T> {
    let wasSilent: ChipError | undefined;
    for (let attempt = 1; ; attempt++) {
      const sequence = new CommandSequence(this.#context);
      try {
        await this.#context.power.begin();
        const result = await run(sequence);
        // A result made after the chip forgot is none, even if `run` caught the error.
        if (sequence.lost === undefined) return result;
      } catch (error) {
        if (sequence.lost === undefined) {
          if (leavesStateInDoubt(error)) this.#context.power.forget();
          // It took a command a moment ago: it is not absent, it hangs.
          if (wasSilent !== undefined && isAbsence(error)) throw wasSilent;
          throw error;
        }
      } finally {
        sequence.end();
      }
      const lost: LostSequence = sequence.lost;
      wasSilent = lost.error.code === "chip_busy_timeout" ? lost.error : undefined;
      if (lost.error.code !== "watchdog_expired" && lost.again === "often") this.#context.power.forget();
      const isLast = attempt >= (lost.again === "once" ? 2 : SEQUENCE_ATTEMPTS_MAX);
      if (isLast || sequence.mayNotRepeat) throw lost.error;
    }
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof ChipError && error.code === "chip_absent";
}

/** After a plain refusal by the chip it is awake as before; after anything else we would rather wake it again. */
function leavesStateInDoubt(error: unknown): boolean {
  if (!(error instanceof ChipError)) return false;
  return error.facts["status"] === undefined && error.code !== "request_invalid";
}
