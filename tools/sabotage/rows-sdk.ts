/** Sabotages of what the official device SDKs and samples of Cloud IoT Core need of the bridge. */
import type { Sabotage } from "./table.ts";

export const sdkRows: readonly Sabotage[] = [
  {
    promise: "A config over HTTP is laid out as the official Arduino sample reads it, line by line.",
    deed: "print the payload as the last member",
    file: "packages/server/src/http/device-api.ts",
    find: "cloudUpdateTime: formatMillis(config.cloudUpdateMs),",
    replace: "",
    test: "packages/server/src/http/device-api.test.ts",
    name: "a config is printed version first, payload next and a comma after it",
  },
  {
    promise:
      "A gateway that detaches what is not attached, as a sample does before it attaches, is answered.",
    deed: "answer only a detach that had something to do",
    file: "packages/server/src/mqtt/attachments.ts",
    find: 'if (attached !== undefined) this.#end(attached, "asked");',
    replace: 'if (attached === undefined) return;\n    this.#end(attached, "asked");',
    test: "test/iot-core/clients.test.ts",
    name: "a gateway that speaks by MQTT.js attaches a bound device as the samples do",
    isSlow: true,
  },
];
