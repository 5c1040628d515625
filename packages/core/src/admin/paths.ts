/**
 * Resource names of the admin API as URL paths, each id percent-encoded.
 *
 * Ids may hold `+`, `%` and `~` (Cloud IoT Core's id rules), so a path is never put together from raw ids.
 */
import type { DevicePath, LocationPath, RegistryPath } from "./resources.ts";
import type { SubscriptionPath } from "./subscriptions.ts";

export function locationPath(at: LocationPath): string {
  return `projects/${encodeURIComponent(at.project)}/locations/${encodeURIComponent(at.location)}`;
}

export function registryPath(at: RegistryPath): string {
  return `${locationPath(at)}/registries/${encodeURIComponent(at.registry)}`;
}

export function devicePath(at: DevicePath): string {
  return `${registryPath(at)}/devices/${encodeURIComponent(at.device)}`;
}

export function keyPath(at: DevicePath, keyId: string): string {
  return `${devicePath(at)}/keys/${encodeURIComponent(keyId)}`;
}

export function subscriptionPath(at: SubscriptionPath): string {
  return `projects/${encodeURIComponent(at.project)}/subscriptions/${encodeURIComponent(at.subscription)}`;
}

/** A query string with its `?`, or "" when every value is absent. Lists repeat their name. */
export function formatQuery(
  values: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const each = typeof value === "string" || typeof value === "number" ? [String(value)] : value;
    for (const one of each) pairs.push(`${name}=${encodeURIComponent(one)}`);
  }
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
