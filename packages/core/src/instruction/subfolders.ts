/**
 * The subfolders that are Mayfly's own, below a device's `commands` and `events`.
 *
 * Whatever begins with `mayfly/` in commands is sent by the bridge alone: who may merely send application commands
 * cannot instruct a device. In events two names are read by the bridge itself and reach no subscription.
 */

/** `/devices/ID/commands/mayfly/instruction`: an instruction, QoS 1. */
export const instructionSubfolder = "mayfly/instruction";
/** `/devices/ID/events/mayfly/instruction-result`: what came of one. */
export const resultSubfolder = "mayfly/instruction-result";
/** `/devices/ID/events/mayfly/key-offer`: a key the device has made. */
export const keyOfferSubfolder = "mayfly/key-offer";

/** Is this subfolder of commands closed to applications? */
export function isReservedCommand(subfolder: string): boolean {
  return subfolder === "mayfly" || subfolder.startsWith("mayfly/");
}
