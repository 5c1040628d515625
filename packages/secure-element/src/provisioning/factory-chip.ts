/**
 * What provisioning needs of a chip: the driver's own command port, which no door of this package shows.
 *
 * An `Atecc608` is one. So a factory gives its driver to the functions here, and can still send no command that
 * was not thought through.
 */
import { type CommandPort, commandPort } from "../atecc608/command-port.ts";

export interface FactoryChip {
  readonly [commandPort]: Pick<CommandPort, "execute" | "together">;
}

/** One command; see the driver's {@link CommandPort.execute}. */
export async function execute(
  chip: FactoryChip,
  opcode: number,
  param1: number,
  param2: number,
  data: Uint8Array,
  responseBytes: number,
): Promise<Uint8Array> {
  return await chip[commandPort].execute(opcode, param1, param2, data, responseBytes);
}

/** Commands without data send none. */
export function noData(): Uint8Array {
  return new Uint8Array(0);
}
