/**
 * `--i2c` and `--socket`: which chip a command is about, and the flags every command on a chip has.
 */
import { type Command, InvalidArgumentError } from "commander";
import { CommandFailure } from "./failure.ts";

/** As delivered. */
const ADDRESS_DEFAULT = 0x60;
const ADDRESS_MIN = 0x08;
const ADDRESS_MAX = 0x77;

export interface ChipFlags {
  readonly json?: true;
  readonly i2c?: ChipPlace;
  readonly socket?: ChipPlace;
}

/** Where a chip is: a bus, and its 7-bit address on it. */
export interface ChipPlace {
  /** `/dev/i2c-1`; a socket's path or `host:port`. */
  readonly bus: string;
  readonly address: number;
}

/** Adds what says which chip is meant. */
export function withChip(command: Command): Command {
  return command
    .option(
      "--i2c <BUS[@ADDRESS]>",
      "the chip on a Linux I2C bus, such as /dev/i2c-1 or /dev/i2c-1@0x35 (address 0x60 unless said)",
      parseChipPlace,
    )
    .option(
      "--socket <PATH|HOST:PORT>",
      "the chip behind a socket, such as that of mayfly chip sim; @0x35 at its end is an address",
      parseChipPlace,
    );
}

/** `BUS[@ADDRESS]`, the address in hexadecimal with 0x. */
export function parseChipPlace(text: string): ChipPlace {
  const match = /^(.+)@(0x[0-9a-f]{1,2})$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return { bus: text, address: ADDRESS_DEFAULT };
  return { bus: match[1], address: parseChipAddress(match[2]) };
}

/** A 7-bit I2C address: `0x08` to `0x77`. */
export function parseChipAddress(text: string): number {
  const address = /^0x[0-9a-f]{1,2}$/i.test(text) ? Number(text) : Number.NaN;
  if (address >= ADDRESS_MIN && address <= ADDRESS_MAX) return address;
  throw new InvalidArgumentError("An I2C address is 0x08 to 0x77, without the read/write bit.");
}

/** @throws {CommandFailure} usage: none is named, or two. */
export function chipPlaceOf(flags: ChipFlags): ChipPlace & { readonly kind: "i2c" | "socket" } {
  const { i2c, socket } = flags;
  if (i2c !== undefined && socket !== undefined) {
    throw new CommandFailure("usage", "--i2c and --socket both name a chip; give one of them");
  }
  if (i2c !== undefined) return { kind: "i2c", ...i2c };
  if (socket !== undefined) return { kind: "socket", ...socket };
  throw new CommandFailure("usage", "no chip is named; give --i2c /dev/i2c-1 or --socket PATH");
}
