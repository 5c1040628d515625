/**
 * Where a registry's messages go and how much it lets through, as flags: gcloud's own spelling where it had one.
 *
 * A topic may be given by its last part alone: it is then one of the registry's project.
 */
import type { EventNotificationConfig, LogLevel, PolicyInput, RegistryChangeInput } from "@mayfly/core/admin";
import { policyPresets } from "@mayfly/core/token";
import type { Command } from "commander";
import { CommandFailure } from "./failure.ts";
import { oneOf, repeated } from "./flags.ts";

export interface NotificationFlags {
  readonly eventNotificationConfig?: readonly string[];
  readonly statePubsubTopic?: string;
  readonly logLevel?: LogLevel;
  readonly set?: readonly string[];
}

export const logLevelWords = ["NONE", "ERROR", "INFO", "DEBUG"] as const;

export function withNotifications(command: Command): Command {
  return command
    .option(
      "--event-notification-config <topic=TOPIC[,subfolder=PATH]>",
      "where events go; the first that matches decides, none for all others; may be repeated",
      repeated,
    )
    .option("--state-pubsub-topic <TOPIC>", "where states go besides the registry; '' for nowhere")
    .option("--log-level <LEVEL>", "what of its devices' doings is logged", oneOf(logLevelWords))
    .option(
      "--set <FIELD=VALUE>",
      "a field of the policy, such as messagesPerSecond=50; may be repeated",
      repeated,
    );
}

/** `telemetry` as `projects/P/topics/telemetry`. */
export function fullTopic(text: string, project: string): string {
  return text === "" || text.includes("/") ? text : `projects/${project}/topics/${text}`;
}

/** @throws {CommandFailure} usage */
export function notificationsOf(
  flags: NotificationFlags,
  project: string,
): Pick<RegistryChangeInput, "eventNotificationConfigs" | "stateNotificationConfig" | "logLevel"> {
  const { eventNotificationConfig, statePubsubTopic, logLevel } = flags;
  return {
    ...(eventNotificationConfig === undefined
      ? {}
      : { eventNotificationConfigs: eventNotificationConfig.map((text) => parseEventConfig(text, project)) }),
    ...(statePubsubTopic === undefined
      ? {}
      : { stateNotificationConfig: { pubsubTopicName: fullTopic(statePubsubTopic, project) } }),
    ...(logLevel === undefined ? {} : { logLevel }),
  };
}

/** @throws {CommandFailure} usage: no such field; the server checks the value. */
export function policyFieldsOf(flags: NotificationFlags): PolicyInput {
  const fields = (flags.set ?? []).map((text) => {
    const at = text.indexOf("=");
    const name = text.slice(0, Math.max(0, at));
    if (!Object.hasOwn(policyPresets.strict, name) || name === "preset") {
      const known = Object.keys(policyPresets.strict).filter((field) => field !== "preset");
      throw new CommandFailure("usage", `--set ${text} is not FIELD=VALUE with one of: ${known.join(", ")}`);
    }
    return [name, parseValue(text.slice(at + 1))] as const;
  });
  return Object.fromEntries(fields);
}

function parseValue(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function parseEventConfig(text: string, project: string): EventNotificationConfig {
  const parts = text.split(",").map((part) => /^(topic|subfolder)=(.*)$/.exec(part)?.slice(1));
  const found = new Map(parts.map((part) => [part?.[0], part?.[1]] as const));
  const topic = found.get("topic");
  if (topic === undefined || topic === "" || found.has(undefined) || found.size !== parts.length) {
    throw new CommandFailure(
      "usage",
      `--event-notification-config ${text} is not topic=TOPIC or topic=TOPIC,subfolder=PATH`,
    );
  }
  return { subfolderMatches: found.get("subfolder") ?? "", pubsubTopicName: fullTopic(topic, project) };
}
