/**
 * Which partition a device writes to: always the same one, so that its messages keep their order.
 *
 * FNV-1a (32 bits) over the registry and the device id. The answer is part of what is on disk: changing it
 * would put a device's new messages beside its old ones.
 */
export function partitionOf(registryKey: string, deviceId: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < registryKey.length; index += 1) {
    hash = Math.imul(hash ^ registryKey.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ 0x2f, 0x01000193);
  for (let index = 0; index < deviceId.length; index += 1) {
    hash = Math.imul(hash ^ deviceId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
