/** A registry as one text, to find it in a map or a row, and back. */
import type { RegistryRef } from "../registry/model.ts";

export function registryKeyOf(ref: RegistryRef): string {
  return `${ref.project}/${ref.location}/${ref.registry}`;
}

/** @param key Made by {@link registryKeyOf}: none of the three ids can hold a slash. */
export function parseRegistryKey(key: string): RegistryRef {
  const [project = "", location = "", registry = ""] = key.split("/");
  return { project, location, registry };
}
