/**
 * Mayfly's own routes, beside v1 so that v1 stays what Cloud IoT Core's clients know: policies and retention,
 * key states, sessions, authentication records, the live tail.
 */
import { utf8Encode } from "@mayfly/core";
import { formatInstruction, instructionSubfolder } from "@mayfly/core/instruction";
import type { Bridge } from "../mqtt/bridge.ts";
import type { KeyParser } from "../registry/key-parser.ts";
import { REGISTRY_PAGE_SIZE_MAX } from "../registry/registries.ts";
import type { RegistryService } from "../registry/service.ts";
import { formatAuthentications } from "./authentication-json.ts";
import { sendCommand } from "./command.ts";
import { deviceOf, devicePath } from "./device-routes.ts";
import { formatInstructionRecord, readInstructionRequest } from "./instruction-json.ts";
import {
  formatDeviceDetails,
  formatKey,
  formatRegistryDetails,
  formatSession,
  readDeviceDetailsChange,
  readKeyChange,
  readKeyCreation,
  readRegistryChange,
  readRegistryCreation,
} from "./mayfly-json.ts";
import { readCount, readPage } from "./paging.ts";
import { locationOf, registriesPath, registryOf, registryPath } from "./registry-routes.ts";
import type { Route } from "./route.ts";
import { readTopic } from "./subscription-json.ts";
import type { Tails } from "./tail.ts";

const prefix = "/mayfly";

export function mayflyRoutes(ports: {
  readonly service: RegistryService;
  readonly keyParser: KeyParser;
  readonly bridge: Pick<Bridge, "findSession" | "sendCommand">;
  readonly tails: Tails;
}): readonly Route[] {
  const { registries, devices, instructions } = ports.service;

  return [
    {
      method: "POST",
      path: `${prefix}${registriesPath}`,
      permission: "cloudiot.registries.create",
      async handle(call) {
        const { id, input } = readRegistryCreation(call.body);
        return formatRegistryDetails(await registries.create({ ...locationOf(call), registry: id }, input));
      },
    },
    {
      method: "GET",
      path: `${prefix}${registriesPath}`,
      permission: "cloudiot.registries.list",
      async handle(call) {
        const page = await registries.list(locationOf(call), readPage(call, REGISTRY_PAGE_SIZE_MAX));
        return {
          registries: page.items.map(formatRegistryDetails),
          ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
        };
      },
    },
    {
      method: "GET",
      path: `${prefix}${registryPath}`,
      permission: "cloudiot.registries.get",
      handle: async (call) => formatRegistryDetails(await registries.get(registryOf(call))),
    },
    {
      method: "PATCH",
      path: `${prefix}${registryPath}`,
      permission: "cloudiot.registries.update",
      async handle(call) {
        const ref = registryOf(call);
        const patch = readRegistryChange(call.body, await registries.get(ref));
        return formatRegistryDetails(await registries.update(ref, patch));
      },
    },
    {
      method: "GET",
      path: `${prefix}${registryPath}:tail`,
      permission: "mayfly.telemetry.tail",
      async handle(call) {
        const { topic } = readTopic(call.query("topic"));
        const { project, location, registry, numId } = await registries.get(registryOf(call));
        call.reply
          .header("content-type", "application/x-ndjson; charset=utf-8")
          .header("cache-control", "no-store");
        return call.reply.send(ports.tails.open({ project, location, registry, numId }, topic));
      },
    },
    {
      method: "GET",
      path: `${prefix}${devicePath}`,
      permission: "cloudiot.devices.get",
      handle: async (call) => formatDeviceDetails(await devices.get(deviceOf(call))),
    },
    {
      method: "PATCH",
      path: `${prefix}${devicePath}`,
      permission: "cloudiot.devices.update",
      handle: async (call) =>
        formatDeviceDetails(
          await devices.update(deviceOf(call), readDeviceDetailsChange(call.body, ports.keyParser)),
        ),
    },
    {
      method: "POST",
      path: `${prefix}${devicePath}:instruct`,
      permission: "mayfly.devices.instruct",
      async handle(call) {
        const ref = deviceOf(call);
        const issued = await instructions.issue(ref, readInstructionRequest(call.body));
        await sendCommand(
          ports.bridge,
          { ...ref, device: issued.deviceId },
          { payload: utf8Encode(formatInstruction(issued.instruction)), subfolder: instructionSubfolder },
        );
        return formatInstructionRecord(issued.record);
      },
    },
    {
      method: "GET",
      path: `${prefix}${devicePath}/keys`,
      permission: "mayfly.keys.list",
      async handle(call) {
        const { keys, activity } = await devices.get(deviceOf(call));
        return { keys: keys.map((key) => formatKey(key, activity)) };
      },
    },
    {
      method: "POST",
      path: `${prefix}${devicePath}/keys`,
      permission: "mayfly.keys.add",
      handle: async (call) => formatKey(await devices.addKey(deviceOf(call), readKeyCreation(call.body)), {}),
    },
    {
      method: "PATCH",
      path: `${prefix}${devicePath}/keys/{key}`,
      permission: "mayfly.keys.update",
      async handle(call) {
        const ref = deviceOf(call);
        const key = await devices.changeKey(ref, call.param("key"), readKeyChange(call.body));
        return formatKey(key, (await devices.get(ref)).activity);
      },
    },
    {
      method: "GET",
      path: `${prefix}${devicePath}/session`,
      permission: "mayfly.sessions.get",
      async handle(call) {
        const { project, location, registry, deviceId } = await devices.get(deviceOf(call));
        return formatSession(ports.bridge.findSession({ project, location, registry, device: deviceId }));
      },
    },
    {
      method: "GET",
      path: `${prefix}${devicePath}/authentications`,
      permission: "mayfly.authentications.list",
      async handle(call) {
        const limit = readCount(call, "limit");
        return formatAuthentications(await devices.listAuthentications(deviceOf(call)), limit);
      },
    },
  ];
}
