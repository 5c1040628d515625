/**
 * The fields of the Configuration zone as a table: which bytes they take and who may write them.
 *
 * One table serves the diff, the comparison with a plan and the writer, so that they cannot disagree about which
 * bytes belong to the chip and not to us.
 */

export interface ConfigField {
  readonly name: string;
  /** First byte in the zone. */
  readonly at: number;
  readonly bytes: number;
  /**
   * "factory": the vendor's, never ours. "write": by Write, until the zone is locked. "counter": as write, and
   * counts afterwards. "update-extra", "lock": by those commands only.
   */
  readonly by: "factory" | "write" | "counter" | "update-extra" | "lock";
}

export const configFields: readonly ConfigField[] = [
  { name: "serial number 0-3", at: 0, bytes: 4, by: "factory" },
  { name: "revision", at: 4, bytes: 4, by: "factory" },
  { name: "serial number 4-8", at: 8, bytes: 5, by: "factory" },
  { name: "AES enable", at: 13, bytes: 1, by: "factory" },
  { name: "I2C enable", at: 14, bytes: 1, by: "factory" },
  { name: "reserved byte 15", at: 15, bytes: 1, by: "factory" },
  { name: "I2C address", at: 16, bytes: 1, by: "write" },
  { name: "reserved byte 17", at: 17, bytes: 1, by: "write" },
  { name: "count match", at: 18, bytes: 1, by: "write" },
  { name: "chip mode", at: 19, bytes: 1, by: "write" },
  ...perSlot("slot configuration", 20),
  { name: "counter 0", at: 52, bytes: 8, by: "counter" },
  { name: "counter 1", at: 60, bytes: 8, by: "counter" },
  { name: "use lock", at: 68, bytes: 1, by: "write" },
  { name: "volatile key permission", at: 69, bytes: 1, by: "write" },
  { name: "secure boot", at: 70, bytes: 2, by: "write" },
  { name: "KDF IV location", at: 72, bytes: 1, by: "write" },
  { name: "KDF IV string", at: 73, bytes: 2, by: "write" },
  { name: "reserved bytes 75-83", at: 75, bytes: 9, by: "write" },
  { name: "user extra", at: 84, bytes: 1, by: "update-extra" },
  { name: "user extra address", at: 85, bytes: 1, by: "update-extra" },
  { name: "data lock", at: 86, bytes: 1, by: "lock" },
  { name: "configuration lock", at: 87, bytes: 1, by: "lock" },
  { name: "slot locks", at: 88, bytes: 2, by: "lock" },
  { name: "chip options", at: 90, bytes: 2, by: "write" },
  { name: "X.509 format", at: 92, bytes: 4, by: "write" },
  ...perSlot("key configuration", 96),
];

function perSlot(what: string, at: number): readonly ConfigField[] {
  return Array.from({ length: 16 }, (_, slot) => ({
    name: `${what} of slot ${slot}`,
    at: at + 2 * slot,
    bytes: 2,
    by: "write" as const,
  }));
}

/** @throws {RangeError} no field has that byte: a bug. */
export function fieldAt(index: number): ConfigField {
  const field = configFields.find(({ at, bytes }) => index >= at && index < at + bytes);
  if (field === undefined) throw new RangeError(`byte ${index} is not in the Configuration zone`);
  return field;
}
