/**
 * v1 routes of devices: the resource, its configs and states, commands.
 */
import { isCommandSubfolder } from "@mayfly/core";
import { isReservedCommand } from "@mayfly/core/instruction";
import type { Bridge } from "../mqtt/bridge.ts";
import { COMMAND_BYTES_MAX, DEVICE_IDS_MAX, DEVICE_PAGE_SIZE_MAX } from "../registry/devices.ts";
import type { DeviceRef } from "../registry/model.ts";
import type { RegistryService } from "../registry/service.ts";
import type { DeviceListFilter } from "../registry/store.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import { invalidField } from "./api-error.ts";
import { sendCommand } from "./command.ts";
import {
  checkSameDevice,
  type DeviceField,
  deviceChangeOf,
  deviceInputOf,
  deviceMask,
  deviceMembers,
  formatConfig,
  formatDevice,
  formatMaskedDevice,
  formatState,
  readDeviceBody,
} from "./device-json.ts";
import { createDeviceLimits } from "./device-limits.ts";
import { parseFieldMask, parseUpdateMask } from "./field-mask.ts";
import { gatewayFilterOf } from "./gateway-routes.ts";
import { findInteger, readBytes, readObject, readString } from "./json-fields.ts";
import { readCount, readPage } from "./paging.ts";
import { registryOf, registryPath } from "./registry-routes.ts";
import type { Call, Route } from "./route.ts";

export const devicesPath = `${registryPath}/devices`;
export const devicePath = `${devicesPath}/{device}`;

export function deviceRoutes(ports: {
  readonly service: RegistryService;
  readonly bridge: Pick<Bridge, "sendCommand">;
  readonly rates: DeviceRates;
}): readonly Route[] {
  const { devices } = ports.service;
  const limits = createDeviceLimits(ports);

  return [
    {
      method: "POST",
      path: devicesPath,
      permission: "cloudiot.devices.create",
      handle: async (call) =>
        formatDevice(await devices.create(registryOf(call), deviceInputOf(readDeviceBody(call.body)))),
    },
    {
      method: "GET",
      path: devicesPath,
      permission: "cloudiot.devices.list",
      async handle(call) {
        const mask = parseFieldMask(call.query("fieldMask"), deviceMembers);
        const page = await devices.list(
          registryOf(call),
          readPage(call, DEVICE_PAGE_SIZE_MAX),
          filterOf(call),
        );
        return {
          devices: page.items.map((record) => formatMaskedDevice(record, mask)),
          ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
        };
      },
    },
    {
      method: "GET",
      path: devicePath,
      permission: "cloudiot.devices.get",
      async handle(call) {
        const mask = parseFieldMask(call.query("fieldMask"), deviceMembers);
        const record = await devices.get(deviceOf(call));
        return mask === undefined ? formatDevice(record) : formatMaskedDevice(record, mask);
      },
    },
    {
      method: "PATCH",
      path: devicePath,
      permission: "cloudiot.devices.update",
      async handle(call) {
        const ref = deviceOf(call);
        const mask = parseUpdateMask<DeviceField>(call.query("updateMask"), deviceMask);
        const fields = readDeviceBody(call.body);
        const change = deviceChangeOf(fields, mask);
        checkSameDevice(fields, await devices.get(ref));
        return formatDevice(await devices.update(ref, change));
      },
    },
    {
      method: "DELETE",
      path: devicePath,
      permission: "cloudiot.devices.delete",
      async handle(call) {
        await devices.delete(deviceOf(call));
        return {};
      },
    },
    {
      method: "POST",
      path: `${devicePath}:modifyCloudToDeviceConfig`,
      permission: "cloudiot.devices.updateConfig",
      async handle(call) {
        const fields = readObject(call.body ?? {}, "", ["name", "versionToUpdate", "binaryData"]);
        const version = findInteger(fields, "versionToUpdate", 0, Number.MAX_SAFE_INTEGER) ?? 0;
        await limits.config(deviceOf(call));
        return formatConfig(
          await devices.modifyConfig(deviceOf(call), readBytes(fields, "binaryData"), version),
        );
      },
    },
    {
      method: "GET",
      path: `${devicePath}/configVersions`,
      permission: "cloudiot.devices.get",
      async handle(call) {
        const versions = await devices.listConfigVersions(deviceOf(call), readCount(call, "numVersions"));
        return { deviceConfigs: versions.map(formatConfig) };
      },
    },
    {
      method: "GET",
      path: `${devicePath}/states`,
      permission: "cloudiot.devices.get",
      async handle(call) {
        const states = await devices.listStates(deviceOf(call), readCount(call, "numStates"));
        return { deviceStates: states.map(formatState) };
      },
    },
    {
      method: "POST",
      path: `${devicePath}:sendCommandToDevice`,
      permission: "cloudiot.devices.sendCommand",
      async handle(call) {
        const fields = readObject(call.body ?? {}, "", ["name", "binaryData", "subfolder"]);
        const payload = readBytes(fields, "binaryData");
        const subfolder = readString(fields, "subfolder");
        if (payload.length > COMMAND_BYTES_MAX) {
          throw invalidField(
            "binary_data",
            `A command has at most ${COMMAND_BYTES_MAX} bytes, not ${payload.length}.`,
          );
        }
        if (subfolder !== "" && !isCommandSubfolder(subfolder)) {
          throw invalidField("subfolder", "A subfolder has at most 256 bytes and none of '+', '#' and NUL.");
        }
        if (isReservedCommand(subfolder)) {
          throw invalidField("subfolder", "Subfolders of 'mayfly' are the server's own: see ':instruct'.");
        }
        await limits.command(deviceOf(call));
        const { project, location, registry, deviceId } = await devices.get(deviceOf(call));
        await sendCommand(
          ports.bridge,
          { project, location, registry, device: deviceId },
          { payload, subfolder },
        );
        return {};
      },
    },
  ];
}

export function deviceOf(call: Call): DeviceRef {
  return { ...registryOf(call), device: call.param("device") };
}

function filterOf(call: Call): DeviceListFilter {
  const ids = [...call.queryAll("deviceIds"), ...call.queryAll("deviceNumIds")];
  if (ids.length > DEVICE_IDS_MAX)
    throw invalidField("device_ids", `At most ${DEVICE_IDS_MAX} devices may be named.`);
  return { ...(ids.length === 0 ? {} : { ids }), ...gatewayFilterOf(call) };
}
