/**
 * What retention has to remove where: age by the clock, size by shares.
 *
 * A registry's bytes lie in several partitions. When they are too many in sum, each partition gives up the
 * same fraction of its oldest, which removes about the oldest of all since devices are spread evenly.
 */
import type { EventRetention } from "../../registry/model.ts";
import type { RegistrySweep, RegistryTotal } from "./event-requests.ts";

/** @returns For each partition, the registries that have something to remove. */
export function planSweep(
  totals: readonly (readonly RegistryTotal[])[],
  nowMs: number,
  retentionOf: (registryKey: string) => EventRetention,
): readonly (readonly RegistrySweep[])[] {
  const sums = new Map<string, number>();
  for (const { registryKey, bytes } of totals.flat())
    sums.set(registryKey, (sums.get(registryKey) ?? 0) + bytes);
  return totals.map((partition) =>
    partition.flatMap(({ registryKey, bytes, oldestMs }) => {
      const retention = retentionOf(registryKey);
      const beforeMs = nowMs - retention.ageSeconds * 1000;
      const sum = sums.get(registryKey) ?? bytes;
      const isTooMuch = sum > retention.bytes;
      if (!isTooMuch && oldestMs >= beforeMs) return [];
      const bytesMax = isTooMuch ? Math.floor((retention.bytes * bytes) / sum) : bytes;
      return [{ registryKey, beforeMs, bytesMax }];
    }),
  );
}
