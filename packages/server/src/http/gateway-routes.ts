/**
 * v1 routes of gateways: binding and unbinding, and the part of a device list that asks about gateways.
 *
 * A gateway is a device like any other; what it may do for which devices is one line of the registry a pair. Both are
 * named by id or numId, in either spelling.
 */
import type { RegistryService } from "../registry/service.ts";
import type { DeviceListFilter } from "../registry/store.ts";
import { invalidField } from "./api-error.ts";
import { gatewayTypes } from "./device-json.ts";
import { readEnum, readObject, readString } from "./json-fields.ts";
import { registryOf, registryPath } from "./registry-routes.ts";
import type { Call, Route } from "./route.ts";

export function gatewayRoutes({ service }: { readonly service: RegistryService }): readonly Route[] {
  const { devices } = service;
  return [
    {
      method: "POST",
      path: `${registryPath}:bindDeviceToGateway`,
      permission: "cloudiot.devices.bindGateway",
      async handle(call) {
        const { gateway, device } = readBinding(call.body);
        await devices.bind(registryOf(call), gateway, device);
        return {};
      },
    },
    {
      method: "POST",
      path: `${registryPath}:unbindDeviceFromGateway`,
      permission: "cloudiot.devices.unbindGateway",
      async handle(call) {
        const { gateway, device } = readBinding(call.body);
        await devices.unbind(registryOf(call), gateway, device);
        return {};
      },
    },
  ];
}

/**
 * `gatewayListOptions`, of which a list takes one: a gateway type by name or number, a gateway, or a bound device.
 * @throws {ApiError} INVALID_ARGUMENT: more than one of them, or an unknown type.
 */
export function gatewayFilterOf(
  call: Call,
): Pick<DeviceListFilter, "gatewayType" | "boundToGateway" | "gatewaysOfDevice"> {
  const option = (name: string) => call.query(`gatewayListOptions.${name}`) ?? "";
  const gateway = option("associationsGatewayId");
  const device = option("associationsDeviceId");
  const type = readEnum(
    { path: "gateway_list_options", values: new Map([["gatewayType", option("gatewayType") || 0]]) },
    "gatewayType",
    gatewayTypes,
  );
  const asked = [gateway, device, type === "GATEWAY_TYPE_UNSPECIFIED" ? "" : type];
  if (asked.filter((one) => one !== "").length > 1) {
    throw invalidField(
      "gateway_list_options",
      "Of gateway_list_options one may be set: gateway_type, associations_gateway_id or associations_device_id.",
    );
  }
  return {
    ...(type === "GATEWAY_TYPE_UNSPECIFIED" ? {} : { gatewayType: type }),
    ...(gateway === "" ? {} : { boundToGateway: gateway }),
    ...(device === "" ? {} : { gatewaysOfDevice: device }),
  };
}

function readBinding(body: unknown): { readonly gateway: string; readonly device: string } {
  const fields = readObject(body ?? {}, "", ["parent", "gatewayId", "deviceId"]);
  const [gateway, device] = [readString(fields, "gatewayId"), readString(fields, "deviceId")];
  if (gateway === "") throw invalidField("gateway_id", "The gateway_id is missing.");
  if (device === "") throw invalidField("device_id", "The device_id is missing.");
  return { gateway, device };
}
