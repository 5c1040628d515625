/** Promises to those who share a bridge with somebody hostile, and how to break each. */
import type { Sabotage } from "./table.ts";

const SOCKETS_TEST = "test/iot-core/hostile-sockets.test.ts";
const TOKENS_TEST = "test/iot-core/hostile-tokens.test.ts";
const MQTT_TEST = "test/iot-core/hostile-mqtt.test.ts";

export const hostileRows: readonly Sabotage[] = [
  {
    promise: "One client's flood of packets does not keep the others from being served.",
    deed: "take all that one connection sends in one turn",
    file: "packages/server/src/mqtt/connection.ts",
    find: "return this.#packetsTaken < packetsPerTurnMax && (this.live?.mayRead ?? false);",
    replace: "return this.live?.mayRead ?? false;",
    test: "packages/server/src/mqtt/turns.test.ts",
    name: "a flood of PINGREQs is taken",
  },
  {
    promise: "A TCP connection that never ends its handshake is gone after 10 s, from the MQTT listener.",
    deed: "leave the socket of a handshake whose time ran out",
    file: "packages/server/src/host/mqtt-listener.ts",
    find: `if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") socket.destroy();`,
    replace: `if (error.code === "none") socket.destroy();`,
    test: SOCKETS_TEST,
    name: "hostile sockets are gone when their bound is over",
    isSlow: true,
  },
  {
    promise: "A TCP connection that never ends its handshake is gone after 10 s, from the HTTPS listeners.",
    deed: "answer a handshake whose time ran out",
    file: "packages/server/src/http/fastify-app.ts",
    find: `if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") socket.destroy();`,
    replace: `if (error.code === "none") socket.destroy();`,
    test: SOCKETS_TEST,
    name: "hostile sockets are gone when their bound is over",
    isSlow: true,
  },
  {
    promise: "Both bridges refuse a hostile token alike, and tell nobody why.",
    deed: "take a token that names another device",
    file: "packages/core/src/token/verify.ts",
    find: "if (context.devicePaths.includes(claims.sub)) return;",
    replace: `if (claims.sub !== "") return;`,
    test: TOKENS_TEST,
    name: "in strict both bridges give each hostile token the same verdict",
    isSlow: true,
  },
  {
    promise: "A malformed packet ends the connection it came by, with the standard's Reason Code.",
    deed: "take a Remaining Length longer than needed",
    file: "packages/core/src/mqtt/packet-framer.ts",
    find: "if (byte === 0 && shift > 0)",
    replace: "if (byte === 0 && shift > 28)",
    test: MQTT_TEST,
    name: "each hostile packet of a connected device",
    isSlow: true,
  },
];
