/** What this device measures: a counter in place of a reading, until a sensor is wired to it. */
import { utf8Encode } from "@mayfly/core";

class Readings {
  #count = 0;

  next(): Uint8Array {
    this.#count += 1;
    return utf8Encode(`{"reading":${this.#count}}`);
  }
}

/** @returns A source of readings, each a JSON text. */
export function createReadings(): Pick<Readings, "next"> {
  return new Readings();
}
