/**
 * `mayfly registry`: create, list, show.
 */
import type { RegistryDetails } from "@mayfly/core/admin";
import type { Command } from "commander";
import { findServer, placeOf, registryOf } from "../connection.ts";
import {
  newCommand,
  newGroup,
  oneOf,
  outputOf,
  type RegistryCommandFlags,
  withConnection,
  withPlace,
} from "../flags.ts";
import { formatFields, formatTable } from "../output.ts";

/** Registries shown by one `list`; a project has far fewer. */
const LISTED_MAX = 10_000;

interface CreateFlags extends RegistryCommandFlags {
  readonly policy: "strict" | "iot-core";
}

export function addRegistryCommands(program: Command): void {
  const group = newGroup("registry", "registries: who may connect, and how strictly tokens are judged");
  program.addCommand(group);
  group.addCommand(
    withPlace(withConnection(newCommand("create", "make a registry")))
      .argument("ID", "registry id")
      .option(
        "--policy <POLICY>",
        "strict, or iot-core for firmware written for Cloud IoT Core",
        oneOf(["strict", "iot-core"] as const),
        "strict",
      )
      .action(create),
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
  const registry = await client.createRegistry(placeOf(flags, endpoints), {
    id,
    policy: { preset: flags.policy },
  });
  outputOf(flags).result(
    registry,
    () => `created ${registry.name} with the policy ${registry.policy.preset}`,
  );
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
      ["events kept", `${registry.retention.ageSeconds} s or ${registry.retention.bytes} bytes`],
      ["mqtt", registry.mqttEnabled ? "on" : "off"],
      ["http", registry.httpEnabled ? "on" : "off"],
      ["created", registry.createTime],
      ["changed", registry.updateTime],
    ]),
  );
}
