/**
 * v1 routes of registries.
 */
import type { KeyParser } from "../registry/key-parser.ts";
import type { RegistryRef } from "../registry/model.ts";
import { REGISTRY_PAGE_SIZE_MAX } from "../registry/registries.ts";
import type { RegistryService } from "../registry/service.ts";
import { ApiError, invalidField } from "./api-error.ts";
import { parseUpdateMask } from "./field-mask.ts";
import { readString } from "./json-fields.ts";
import { readPage } from "./paging.ts";
import {
  formatRegistry,
  type RegistryField,
  readRegistryBody,
  registryInputOf,
  registryMask,
  registryPatchOf,
} from "./registry-json.ts";
import type { Call, Route } from "./route.ts";

export const registriesPath = "/v1/projects/{project}/locations/{location}/registries";
export const registryPath = `${registriesPath}/{registry}`;

export function registryRoutes(ports: {
  readonly service: RegistryService;
  readonly keyParser: KeyParser;
}): readonly Route[] {
  const { registries } = ports.service;

  return [
    {
      method: "POST",
      path: registriesPath,
      permission: "cloudiot.registries.create",
      async handle(call) {
        const fields = readRegistryBody(call.body);
        if (readString(fields, "name") !== "") {
          throw invalidField(
            "device_registry.name",
            "device_registry.name must be empty: the server gives it.",
          );
        }
        const ref = { ...locationOf(call), registry: readString(fields, "id") };
        const record = await registries.create(ref, registryInputOf(fields));
        return formatRegistry(record, ports.keyParser);
      },
    },
    {
      method: "GET",
      path: registriesPath,
      permission: "cloudiot.registries.list",
      async handle(call) {
        const page = await registries.list(locationOf(call), readPage(call, REGISTRY_PAGE_SIZE_MAX));
        return {
          deviceRegistries: page.items.map((record) => formatRegistry(record, ports.keyParser)),
          ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
        };
      },
    },
    {
      method: "GET",
      path: registryPath,
      permission: "cloudiot.registries.get",
      handle: async (call) => formatRegistry(await registries.get(registryOf(call)), ports.keyParser),
    },
    {
      method: "PATCH",
      path: registryPath,
      permission: "cloudiot.registries.update",
      async handle(call) {
        const ref = registryOf(call);
        const mask = parseUpdateMask<RegistryField>(call.query("updateMask"), registryMask);
        const fields = readRegistryBody(call.body);
        const id = readString(fields, "id");
        if (id !== "" && id !== ref.registry) {
          throw new ApiError("INVALID_ARGUMENT", "device_registry.id cannot be changed.");
        }
        return formatRegistry(await registries.update(ref, registryPatchOf(fields, mask)), ports.keyParser);
      },
    },
    {
      method: "DELETE",
      path: registryPath,
      permission: "cloudiot.registries.delete",
      async handle(call) {
        await registries.delete(registryOf(call));
        return {};
      },
    },
  ];
}

export function locationOf(call: Call): { readonly project: string; readonly location: string } {
  return { project: call.param("project"), location: call.param("location") };
}

export function registryOf(call: Call): RegistryRef {
  return { ...locationOf(call), registry: call.param("registry") };
}
