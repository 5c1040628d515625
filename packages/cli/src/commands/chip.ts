/**
 * `mayfly chip`: the group of everything about a secure element, real or simulated.
 */
import type { Command } from "commander";
import { newGroup } from "../flags.ts";
import { addChipAttestCommand } from "./chip-attest.ts";
import { addChipConfigCommands } from "./chip-config.ts";
import { addChipInfoCommands } from "./chip-info.ts";
import { addChipProvisionCommand } from "./chip-provision.ts";
import { addChipSignTokenCommand } from "./chip-sign-token.ts";
import { addChipSimCommand } from "./chip-sim.ts";

export function addChipCommands(program: Command): void {
  const group = newGroup("chip", "an ATECC608 on a bus, or a simulated one: look, configure, sign tokens");
  program.addCommand(group);
  addChipInfoCommands(group);
  addChipConfigCommands(group);
  addChipProvisionCommand(group);
  addChipSignTokenCommand(group);
  addChipAttestCommand(group);
  addChipSimCommand(group);
}
