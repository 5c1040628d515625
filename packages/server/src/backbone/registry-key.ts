/** A registry as one text, to find it in a map or a row, and back. Part of what is on disk. */
import type { RegistryIdentity } from "../registry/model.ts";

export function registryKeyOf(registry: RegistryIdentity): string {
  return `${registry.project}/${registry.location}/${registry.registry}/${registry.numId}`;
}

/** @param key Made by {@link registryKeyOf}: none of the four can hold a slash. */
export function parseRegistryKey(key: string): RegistryIdentity {
  const [project = "", location = "", registry = "", numId = ""] = key.split("/");
  return { project, location, registry, numId };
}
