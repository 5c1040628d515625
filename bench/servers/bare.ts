/**
 * The floor: what TLS, our codec and one verification cost in a bare Node server, with nothing around them.
 *
 * `--sink DIR` makes it durable through the same backbone as the bridge; without it PUBLISHes are acknowledged
 * from memory. It checks a token's signature and `exp`, and no policy: it is a measure, not a broker.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { createServer } from "node:tls";
import { encodeServerPacket, ServerDecoder } from "@mayfly/core/mqtt-server";
import type { Backbone } from "@mayfly/server/node";
import { openSqliteBackbone, systemClock, systemRandom, systemTimers } from "@mayfly/server/node";
import { benchDevices, benchIdentity, ready } from "./common.ts";

const identity = await benchIdentity();
const devices = await benchDevices();
const keys = new Map<string, KeyObject>(
  devices.map((device) => [device.clientIdentifier, createPublicKey(device.publicPem)]),
);
const sink = process.argv[process.argv.indexOf("--sink") + 1];
const backbone: Backbone | undefined =
  process.argv.includes("--sink") && sink !== undefined
    ? await openSqliteBackbone({
        folder: sink,
        clock: systemClock,
        timers: systemTimers,
        random: systemRandom,
      })
    : undefined;
const registry = { project: "bench", location: "us-central1", registry: "bench", numId: "11" };

function accepts(clientIdentifier: string, token: string): boolean {
  const key = keys.get(clientIdentifier);
  const [header, claims, signature] = token.split(".");
  if (key === undefined || header === undefined || claims === undefined || signature === undefined)
    return false;
  const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { exp: number };
  if (exp < Date.now() / 1000) return false;
  const input = Buffer.from(`${header}.${claims}`);
  return verify("sha256", input, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
}

const server = createServer(
  {
    cert: identity.cert,
    key: identity.key,
    minVersion: "TLSv1.3",
    ecdhCurve: "X25519:prime256v1",
    noDelay: true,
  },
  (socket) => {
    const decoder = new ServerDecoder({ maximumPacketSize: 300_000 });
    let acks: Uint8Array[] = [];
    const flush = () => {
      if (acks.length === 0) return;
      const batch = acks.length === 1 ? acks[0] : Buffer.concat(acks);
      acks = [];
      if (batch !== undefined && !socket.destroyed) socket.write(batch);
    };
    let deviceId = "";
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      decoder.push(bytes);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (packet.type === "connect") {
          const ok = accepts(packet.clientIdentifier, Buffer.from(packet.password ?? []).toString("latin1"));
          deviceId = packet.clientIdentifier.slice(packet.clientIdentifier.lastIndexOf("/") + 1);
          socket.write(
            encodeServerPacket({ type: "connack", sessionPresent: false, reasonCode: ok ? 0 : 5 }, 4),
          );
        } else if (packet.type === "publish" && packet.packetIdentifier !== undefined) {
          const puback = encodeServerPacket(
            { type: "puback", packetIdentifier: packet.packetIdentifier, reasonCode: 0 },
            4,
          );
          if (backbone === undefined) acks.push(puback);
          else {
            const message = {
              registry,
              deviceId,
              deviceNumId: "1",
              subfolder: "",
              payload: packet.payload,
              publishMs: Date.now(),
            };
            backbone.append(message, (outcome) => {
              if (outcome.kind !== "durable") return;
              if (acks.length === 0) queueMicrotask(flush);
              acks.push(puback);
            });
          }
        } else if (packet.type === "disconnect") socket.end();
      }
      if (backbone === undefined) flush();
    });
  },
);
server.listen(0, "127.0.0.1", () => ready(server, identity.caFile, devices));
