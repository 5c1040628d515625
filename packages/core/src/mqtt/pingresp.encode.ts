/** Encodes PINGRESP (MQTT 5.0 §3.13): a fixed header alone, the same in both versions. */

import { packetType } from "./packet-type.ts";

export function encodePingresp(): Uint8Array {
  return new Uint8Array([packetType.pingresp << 4, 0]);
}
