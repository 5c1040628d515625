/**
 * `mayfly registry`: create, update, list, show.
 */
import type { RegistryDetails } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, placeOf, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  newCommand,
  newGroup,
  oneOf,
  outputOf,
  type RegistryCommandFlags,
  withConnection,
  withPlace,
} from "../flags.ts";
import {
  type NotificationFlags,
  notificationsOf,
  policyFieldsOf,
  withNotifications,
} from "../notification-flags.ts";
import { formatFields, formatTable } from "../output.ts";

/** Registries shown by one `list`; a project has far fewer. */
const LISTED_MAX = 10_000;

const presets = ["strict", "iot-core"] as const;

interface CreateFlags extends RegistryCommandFlags, NotificationFlags {
  readonly policy: (typeof presets)[number];
}

interface UpdateFlags extends RegistryCommandFlags, NotificationFlags {
  readonly policy?: (typeof presets)[number];
  readonly clearEventNotificationConfigs?: true;
}

export function addRegistryCommands(program: Command): void {
  const group = newGroup("registry", "registries: who may connect, and how strictly tokens are judged");
  program.addCommand(group);
  group.addCommand(
    withNotifications(withPlace(withConnection(newCommand("create", "make a registry"))))
      .argument("ID", "registry id")
      .option(
        "--policy <POLICY>",
        "strict, or iot-core for firmware written for Cloud IoT Core",
        oneOf(presets),
        "strict",
      )
      .action(create),
  );
  group.addCommand(
    withNotifications(
      withPlace(withConnection(newCommand("update", "change a registry: only what is given"))),
    )
      .argument("[ID]", "registry id or full name (default: the server's)")
      .option("--policy <POLICY>", "set every field of the policy as the preset has it", oneOf(presets))
      .option("--clear-event-notification-configs", "route events nowhere: they go to the registry alone")
      .action(update),
  );
  group.addCommand(
    withPlace(withConnection(newCommand("list", "list the registries of a location"))).action(list),
  );
  group.addCommand(
    withPlace(withConnection(newCommand("show", "show a registry and its policy")))
      .argument("[ID]", "registry id or full name (default: the server's)")
      .action(show),
  );
}

async function create(id: string, flags: CreateFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = placeOf(flags, endpoints);
  const registry = await client.createRegistry(place, {
    id,
    policy: { preset: flags.policy, ...policyFieldsOf(flags) },
    ...notificationsOf(flags, place.project),
  });
  outputOf(flags).result(
    registry,
    () => `created ${registry.name} with the policy ${registry.policy.preset}`,
  );
}

async function update(id: string | undefined, flags: UpdateFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(id === undefined ? flags : { ...flags, registry: id }, endpoints);
  const policy = {
    ...(flags.policy === undefined ? {} : { preset: flags.policy }),
    ...policyFieldsOf(flags),
  };
  const change = {
    ...(Object.keys(policy).length === 0 ? {} : { policy }),
    ...(flags.clearEventNotificationConfigs === true ? { eventNotificationConfigs: [] } : {}),
    ...notificationsOf(flags, place.project),
  };
  if (Object.keys(change).length === 0) {
    throw new CommandFailure("usage", "nothing to change; see mayfly registry update --help");
  }
  const registry = await client.updateRegistry(place, change);
  outputOf(flags).result(registry, () => `changed ${registry.name}`);
}

async function list(flags: RegistryCommandFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = placeOf(flags, endpoints);
  const registries: RegistryDetails[] = [];
  let pageToken: string | undefined;
  do {
    const page = await client.listRegistries(place, pageToken === undefined ? {} : { pageToken });
    registries.push(...page.registries);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && pageToken !== "" && registries.length < LISTED_MAX);

  outputOf(flags).result({ registries }, () =>
    registries.length === 0
      ? `no registries in projects/${place.project}/locations/${place.location}`
      : formatTable(
          ["REGISTRY", "POLICY", "SKEW", "GRACE", "LIFETIME", "MQTT", "HTTP", "CREATED"],
          registries.map((registry) => [
            registry.id,
            registry.policy.preset,
            `${registry.policy.skewSeconds} s`,
            `${registry.policy.graceSeconds} s`,
            `${registry.policy.lifetimeMaxSeconds} s`,
            registry.mqttEnabled ? "on" : "off",
            registry.httpEnabled ? "on" : "off",
            registry.createTime,
          ]),
        ),
  );
}

async function show(id: string | undefined, flags: RegistryCommandFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(id === undefined ? flags : { ...flags, registry: id }, endpoints);
  const registry = await client.getRegistry(place);
  outputOf(flags).result(registry, () =>
    formatFields([
      ["registry", registry.name],
      ["numId", registry.numId],
      ...Object.entries(registry.policy).map(([name, value]) => [`policy ${name}`, value] as const),
      ...(registry.eventNotificationConfigs ?? []).map(
        ({ subfolderMatches = "", pubsubTopicName }) =>
          [subfolderMatches === "" ? "events" : `events/${subfolderMatches}`, pubsubTopicName] as const,
      ),
      ["states", registry.stateNotificationConfig?.pubsubTopicName],
      ["log level", registry.logLevel ?? "NONE"],
      ["events kept", `${registry.retention.ageSeconds} s or ${registry.retention.bytes} bytes`],
      ["mqtt", registry.mqttEnabled ? "on" : "off"],
      ["http", registry.httpEnabled ? "on" : "off"],
      ["created", registry.createTime],
      ["changed", registry.updateTime],
    ]),
  );
}
