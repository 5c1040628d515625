/**
 * Routing: which topic a device's event or state goes to, by its registry's notification configs.
 *
 * The first config that matches wins; an empty `subfolderMatches` matches everything, any other one the whole subfolder
 * path, letter by letter (cloud-iot-core.md §1.2). It is decided when the message is taken and kept with it, so that
 * whoever reads it later, by pull, tail or push, is told the same, however the registry has changed meanwhile.
 *
 * Left to others: who may subscribe to a topic and reads it (`backbone.ts`).
 */
import type { RegistryRecord } from "../registry/model.ts";

/** Where a registry's messages go. */
export type TopicRoutes = Pick<RegistryRecord, "eventNotificationConfigs" | "stateNotificationTopic">;

/** @returns Undefined where no config matches: the message is stored all the same, under no topic. */
export function findEventTopic(
  { eventNotificationConfigs }: TopicRoutes,
  subfolder: string,
): string | undefined {
  for (const { subfolderMatches, pubsubTopicName } of eventNotificationConfigs) {
    if (subfolderMatches === "" || subfolderMatches === subfolder) return pubsubTopicName;
  }
  return undefined;
}

/** Does a subscription to `topic` (undefined: to the registry as a whole) get a message routed to `routed`? */
export function isForTopic(topic: string | undefined, routed: string | undefined): boolean {
  return topic === undefined || topic === routed;
}
