/** GenKey, public: computes the public key of a private slot. Creating keys belongs to provisioning. */
import type { CommandPort } from "./command-port.ts";
import { opcodes } from "./opcodes.ts";
import { mustBeSlot } from "./sign.ts";

/** @returns X‖Y, 64 bytes big-endian. @throws {ChipError} (rejects) `chip_status_execution`: no key, or no PubInfo. */
export async function computePublicKey(port: CommandPort, slot: number): Promise<Uint8Array> {
  mustBeSlot(slot);
  return await port.execute(opcodes.genKey, 0x00, slot, new Uint8Array(0), 64);
}
