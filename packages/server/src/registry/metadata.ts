/**
 * A device's metadata: text pairs for applications, never sent to the device, within Cloud IoT Core's limits.
 */
import { utf8Length } from "@mayfly/core";
import { RegistryError } from "./error.ts";

export const METADATA_PAIRS_MAX = 500;
export const METADATA_KEY_CHARACTERS_MAX = 128;
export const METADATA_VALUE_BYTES_MAX = 32 * 1024;
export const METADATA_BYTES_MAX = 256 * 1024;

const keyForm = /^[a-zA-Z][-a-zA-Z0-9._+~%]*$/;

/** @throws {RegistryError} argument_invalid, naming the key (not the value) that breaks a limit. */
export function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(metadata);
  if (pairs.length > METADATA_PAIRS_MAX) {
    throw refusal(`has ${pairs.length} pairs; at most ${METADATA_PAIRS_MAX} are kept`);
  }
  let bytes = 0;
  for (const [key, value] of pairs) {
    if (key.length > METADATA_KEY_CHARACTERS_MAX || !keyForm.test(key)) {
      throw refusal(`key '${key.slice(0, METADATA_KEY_CHARACTERS_MAX)}' is invalid`);
    }
    const valueBytes = utf8Length(value);
    if (valueBytes > METADATA_VALUE_BYTES_MAX) {
      throw refusal(
        `value of '${key}' has ${valueBytes} bytes; at most ${METADATA_VALUE_BYTES_MAX} are kept`,
      );
    }
    bytes += key.length + valueBytes;
  }
  if (bytes > METADATA_BYTES_MAX) throw refusal(`has ${bytes} bytes; at most ${METADATA_BYTES_MAX} are kept`);
}

function refusal(what: string): RegistryError {
  return new RegistryError("argument_invalid", `The device metadata ${what}.`);
}
