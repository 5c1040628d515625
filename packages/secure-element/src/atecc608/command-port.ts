/**
 * Single commands, and several in a row that nobody else comes between: what the typed commands are written on.
 *
 * It stays inside this package. The doors show typed commands only, so that no caller can have the chip do what
 * was not thought through here; provisioning reaches the port of a chip by {@link commandPort}.
 */

export interface CommandPort {
  /**
   * One command, tried again where that is safe.
   *
   * @param responseBytes Data bytes expected: 4, 32 or 64, or 0 where success is a status alone.
   * @returns The data, empty for a status. @throws {ChipError} (rejects) for every status but success.
   */
  execute(
    opcode: number,
    param1: number,
    param2: number,
    data: Uint8Array,
    responseBytes: number,
  ): Promise<Uint8Array>;

  /**
   * Runs commands one after another, with TempKey and the Message Digest Buffer kept from one to the next.
   *
   * When the chip forgets them midway (reset, watchdog), `run` begins again from its start, at most
   * {@link SEQUENCE_ATTEMPTS_MAX} times in all; but never once a command of lasting effect was sent (Lock, Counter
   * increment, UpdateExtra), for nobody could tell how often it happened: then it rejects, and the caller looks.
   *
   * @param run Awaits commands of the port it is given and nothing else; the chip is its alone meanwhile. To ask the
   *   outer port from in here would wait for ever.
   */
  together<T>(run: (chip: CommandPort) => Promise<T>): Promise<T>;

  /** Which part this is and how its clock runs; asked of the chip once. */
  traits(): Promise<ChipTraits>;
}

/** How often a sequence is begun before the chip's forgetting becomes the caller's error. */
export const SEQUENCE_ATTEMPTS_MAX = 3;

export type ChipPart = "608" | "508A";

export interface ChipTraits {
  readonly part: ChipPart;
  readonly clockDivider: "M0" | "M1" | "M2";
  /** ChipMode bit 2: about 13 s in place of 1.3 s. */
  readonly hasLongWatchdog: boolean;
}

/** The key under which a chip keeps its port for the rest of this package. */
export const commandPort: unique symbol = Symbol("commandPort");
