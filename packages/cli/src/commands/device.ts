/**
 * `mayfly device`: create, list, show, block, unblock. Its keys have a file of their own.
 */
import type { AuthenticationLog, Device, DeviceDetails, DevicePath, SessionAnswer } from "@mayfly/core/admin";
import type { Command } from "commander";
import { describeClockBasis, describeEvidence, describeRefusals } from "../authentication-words.ts";
import { findServer, registryOf } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  newCommand,
  newGroup,
  oneOf,
  outputOf,
  type RegistryCommandFlags,
  repeated,
  wholeNumber,
  withConnection,
  withRegistry,
} from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import { parseKeyFlag } from "../key-flag.ts";
import { formatFields, formatPayload, formatTable } from "../output.ts";
import { describeInstruction } from "./device-instruct.ts";
import { describeKeys, keyStatesOf } from "./device-keys.ts";

const LISTED_DEFAULT = 1_000;
const LISTED_MAX = 1_000_000;
/** A page of the list; the server may give less. */
const PAGE_SIZE_MAX = 1_000;

/** What a gateway must show to speak for a device: words for a command line, and the API's names. */
const gatewayMethods = {
  "association-only": "ASSOCIATION_ONLY",
  "device-auth-token-only": "DEVICE_AUTH_TOKEN_ONLY",
  "association-and-device-auth-token": "ASSOCIATION_AND_DEVICE_AUTH_TOKEN",
} as const;

const keyFormats = ["RSA_PEM", "RSA_X509_PEM", "ES256_PEM", "ES256_X509_PEM"] as const;

interface CreateFlags extends RegistryCommandFlags {
  readonly publicKey?: readonly string[];
  readonly format?: (typeof keyFormats)[number];
  readonly pending?: true;
  readonly metadata?: readonly string[];
  readonly blocked?: true;
  readonly gateway?: keyof typeof gatewayMethods;
}

/** @returns The group, for the commands about keys. */
export function addDeviceCommands(program: Command): Command {
  const group = newGroup("device", "devices: create, list, show, block, unblock, and their keys");
  program.addCommand(group);
  group.addCommand(
    withRegistry(withConnection(newCommand("create", "register a device and its public keys")))
      .argument("ID", "device id")
      .option("--public-key <FILE:SLOT>", "public key in PEM, and the chip's slot; up to 3 times", repeated)
      .option("--format <FORMAT>", "format of the keys, where the file does not show it", oneOf(keyFormats))
      .option("--pending", "register the second and third key as pending, to be activated later")
      .option("--metadata <NAME=VALUE>", "metadata; may be repeated", repeated)
      .option("--blocked", "create it blocked")
      .option(
        "--gateway <METHOD>",
        "make it a gateway, and what it must show to speak for a device: association-only, " +
          "device-auth-token-only or association-and-device-auth-token",
        oneOf(Object.keys(gatewayMethods) as (keyof typeof gatewayMethods)[]),
      )
      .action(create),
  );
  group.addCommand(
    withRegistry(withConnection(newCommand("list", "list the devices of a registry")))
      .option("--limit <N>", "devices shown at most", wholeNumber(1, LISTED_MAX), LISTED_DEFAULT)
      .action(list),
  );
  group.addCommand(
    deviceCommand("show", "show a device, its keys, its session, and why it was refused last", show),
  );
  group.addCommand(
    deviceCommand("block", "refuse a device and cut its session", (id, flags) =>
      setBlocked(id, flags, "block"),
    ),
  );
  group.addCommand(
    deviceCommand("unblock", "let a blocked device in again", (id, flags) =>
      setBlocked(id, flags, "unblock"),
    ),
  );
  return group;
}

function deviceCommand(
  name: string,
  summary: string,
  run: (id: string, flags: RegistryCommandFlags) => Promise<void>,
): Command {
  return withRegistry(withConnection(newCommand(name, summary)))
    .argument("ID", "device id or numId")
    .action(run);
}

async function create(id: string, flags: CreateFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  const keys = await Promise.all((flags.publicKey ?? []).map(parseKeyFlag));
  const metadata = parseMetadata(flags.metadata ?? []);
  // All keys are read and checked before the device is made; the device comes first, as keys belong to one.
  const device = await client.createDevice(place, {
    id,
    ...(flags.blocked === true ? { blocked: true } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(flags.gateway === undefined
      ? {}
      : {
          gatewayConfig: {
            gatewayType: "GATEWAY",
            gatewayAuthMethod: gatewayMethods[flags.gateway],
          } as const,
        }),
  });
  const at: DevicePath = { ...place, device: id };
  try {
    for (const [index, { pem, format, slot }] of keys.entries()) {
      await client.addDeviceKey(at, {
        format: flags.format ?? format,
        key: pem,
        state: flags.pending === true && index > 0 ? "pending" : "active",
        ...(slot === undefined ? {} : { slot }),
      });
    }
  } catch (error) {
    // A device without the keys it was ordered with is no device: take it back, then say what was wrong.
    await client.deleteDevice(at);
    throw error;
  }
  const details = await client.getDeviceDetails(at);
  outputOf(flags).result(details, () => `created ${id} (numId ${device.numId}) with ${keyCount(details)}`);
}

async function list(flags: RegistryCommandFlags & { readonly limit: number }): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const place = registryOf(flags, endpoints);
  const devices: Device[] = [];
  let pageToken: string | undefined;
  do {
    const page = await client.listDevices(place, {
      pageSize: Math.min(PAGE_SIZE_MAX, flags.limit - devices.length),
      fields: ["blocked", "lastHeartbeatTime", "lastEventTime", "lastErrorStatus"],
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    devices.push(...page.devices);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && pageToken !== "" && devices.length < flags.limit);

  const output = outputOf(flags);
  output.result({ devices }, () =>
    devices.length === 0
      ? `no devices in ${place.registry}`
      : formatTable(
          ["DEVICE", "NUMID", "BLOCKED", "LAST EVENT", "LAST ERROR"],
          devices.map((device) => [
            device.id,
            device.numId,
            device.blocked === true ? "yes" : "no",
            device.lastEventTime ?? "-",
            device.lastErrorStatus?.message ?? "-",
          ]),
        ),
  );
  if (pageToken !== undefined && pageToken !== "")
    output.remark(`mayfly: there are more; raise --limit above ${flags.limit}`);
}

async function show(id: string, flags: RegistryCommandFlags): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: id };
  const [details, answer] = [await client.getDeviceDetails(at), await client.getSession(at)];
  const authentications = await client.getAuthentications(at);
  const { device } = details;
  const { clock } = authentications;
  outputOf(flags).result({ ...details, session: answer, authentications }, () =>
    [
      formatFields([
        ["device", device.id],
        ["numId", device.numId],
        ["blocked", device.blocked === true ? "yes" : "no"],
        ["session", describeSession(answer)],
        ["last event", device.lastEventTime],
        ["last error", device.lastErrorStatus?.message],
        ...describeRefusals(authentications, wallSeconds()).map((words) => ["refusal", words] as const),
        ["clock", clock === undefined ? undefined : describeClockBasis(clock)],
        ["evidence", lastEvidence(authentications)],
        ["config", device.config === undefined ? undefined : describeConfig(device.config)],
        [
          "metadata",
          Object.entries(device.metadata ?? {})
            .map(([name, value]) => `${name}=${value}`)
            .join(" "),
        ],
        ["tokens not before", details.tokensNotBefore],
        [
          "instruction",
          details.instruction === undefined ? undefined : describeInstruction(details.instruction),
        ],
        [
          "chip",
          details.attestation === undefined
            ? undefined
            : `${details.attestation.chipSerial}, attests with slot ${details.attestation.slot}`,
        ],
      ]),
      ...(details.keys.length === 0 ? ["no keys: it cannot connect"] : ["", describeKeys(details.keys)]),
    ].join("\n"),
  );
}

async function setBlocked(
  id: string,
  flags: RegistryCommandFlags,
  wanted: "block" | "unblock",
): Promise<void> {
  const { client, endpoints } = await findServer(flags);
  const at = { ...registryOf(flags, endpoints), device: id };
  const device = await client.updateDevice(at, { blocked: wanted === "block" }, ["blocked"]);
  outputOf(flags).result(device, () =>
    wanted === "block" ? `${id} is blocked; a live session ends within a second` : `${id} may connect again`,
  );
}

function lastEvidence({ records }: AuthenticationLog): string | undefined {
  const last = records.find((record) => record.kind === "evidence");
  return last === undefined ? undefined : `${last.time} ${describeEvidence(last)}`;
}

function describeConfig(config: NonNullable<Device["config"]>): string {
  const acknowledged =
    config.deviceAckTime === undefined ? "not acknowledged" : `acknowledged ${config.deviceAckTime}`;
  return `version ${config.version}, ${formatPayload(Buffer.from(config.binaryData ?? "", "base64")) || "empty"}, ${acknowledged}`;
}

function describeSession(answer: SessionAnswer): string {
  if (!answer.connected) return "not connected";
  const { session } = answer;
  const protocol = session.protocolVersion === 5 ? "MQTT 5.0" : "MQTT 3.1.1";
  return `connected since ${session.connectTime} by ${protocol} from ${session.remoteAddress}, key ${session.keyId}, until ${session.deadlineTime}`;
}

function keyCount(details: DeviceDetails): string {
  return details.keys.length === 0 ? "no key yet" : keyStatesOf(details.keys);
}

function parseMetadata(pairs: readonly string[]): Record<string, string> | undefined {
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at <= 0) throw new CommandFailure("usage", `--metadata ${pair} is not NAME=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
