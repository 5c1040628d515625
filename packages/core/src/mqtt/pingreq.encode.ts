/** Encodes PINGREQ (MQTT 5.0 §3.12): a fixed header alone, the same in both versions. */

import { packetType } from "./packet-type.ts";

export function encodePingreq(): Uint8Array {
  return new Uint8Array([packetType.pingreq << 4, 0]);
}
