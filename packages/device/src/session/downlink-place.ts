/**
 * Where a message from the bridge belongs, by its Topic Name: the device's config, or a command with its subfolder.
 */
import { commandsFilter, configTopic } from "@mayfly/core";

export interface DownlinkPlace {
  readonly kind: "config" | "command";
  /** Of a command; empty for none. */
  readonly subfolder: string;
}

/** @returns undefined: a Topic Name we did not subscribe to. */
export function findDownlinkPlace(device: string, topic: string): DownlinkPlace | undefined {
  if (topic === configTopic(device)) return { kind: "config", subfolder: "" };
  const commands = commandsFilter(device).slice(0, -"/#".length);
  if (topic === commands) return { kind: "command", subfolder: "" };
  if (!topic.startsWith(`${commands}/`)) return undefined;
  return { kind: "command", subfolder: topic.slice(commands.length + 1) };
}
