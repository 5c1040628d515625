/**
 * The agent's Node adapters against a real TLS listener on the loopback.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { base64urlDecode, utf8Decode, utf8Encode } from "@mayfly/core";
import { encodeServerPacket, ServerDecoder } from "@mayfly/core/mqtt-server";
import { createNodeAgent, createTlsConnect } from "@mayfly/device/node";
import { type Identity, makeIdentity } from "./identity.ts";

async function listen(
  t: TestContext,
  identity: Identity,
  onSocket: (socket: TLSSocket) => void,
): Promise<number> {
  const sockets = new Set<TLSSocket>();
  const server = createServer(identity, (socket) => {
    sockets.add(socket);
    // A peer that goes away is part of these tests.
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Opens a link and resolves with what it was first told. */
function firstWord(connect: ReturnType<typeof createTlsConnect>): Promise<string> {
  return new Promise((resolve) => {
    const link = connect({
      opened: () => {
        link.close();
        resolve("opened");
      },
      received: () => {},
      closed: (because) => resolve(`closed ${because}`),
    });
  });
}

test("a link opens only to a bridge that shows the expected roots and name", async (t) => {
  const identity = makeIdentity(t);
  const stranger = makeIdentity(t);
  const port = await listen(t, identity, (socket) => socket.end());
  const target = { host: "localhost", port, caPem: identity.cert };

  const right = await firstWord(createTlsConnect(target));
  const otherRoot = await firstWord(createTlsConnect({ ...target, caPem: stranger.cert }));
  const otherName = await firstWord(createTlsConnect({ ...target, servername: "elsewhere" }));

  assert.equal(right, "opened");
  assert.equal(otherRoot, "closed DEPTH_ZERO_SELF_SIGNED_CERT");
  assert.equal(otherName, "closed ERR_TLS_CERT_ALTNAME_INVALID");
});

test("the second link resumes the TLS session of the first", async (t) => {
  const identity = makeIdentity(t);
  const resumed: boolean[] = [];
  const port = await listen(t, identity, (socket) => {
    resumed.push(socket.isSessionReused());
    socket.end("hello");
  });
  const connect = createTlsConnect({ host: "localhost", port, caPem: identity.cert });
  const passThrough = (): Promise<void> =>
    new Promise((resolve) => {
      connect({ opened: () => {}, received: () => {}, closed: () => resolve() });
    });

  await passThrough();
  await passThrough();

  assert.deepEqual(resumed, [false, true]);
});

test("an agent on Node connects with a token its key has signed, publishes, and takes leave", async (t) => {
  const identity = makeIdentity(t);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const seen: string[] = [];
  const port = await listen(t, identity, (socket) => {
    const decoder = new ServerDecoder({ maximumPacketSize: 65_536 });
    socket.on("data", (bytes: Buffer) => {
      decoder.push(bytes);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        seen.push(packet.type);
        if (packet.type === "connect") {
          const [header = "", claims = "", signature = ""] = utf8Decode(
            packet.properties?.authenticationData ?? new Uint8Array(0),
          ).split(".");
          const isSigned = verify(
            "sha256",
            utf8Encode(`${header}.${claims}`),
            { key: publicKey, dsaEncoding: "ieee-p1363" },
            base64urlDecode(signature),
          );
          seen.push(isSigned ? "signed" : "not signed");
          const properties = { authenticationMethod: "mayfly-jwt" };
          socket.write(
            encodeServerPacket({ type: "connack", sessionPresent: false, reasonCode: 0, properties }, 5),
          );
        } else if (packet.type === "publish") {
          const packetIdentifier = packet.packetIdentifier ?? 0;
          socket.write(encodeServerPacket({ type: "puback", packetIdentifier, reasonCode: 0 }, 5));
        }
      }
    });
  });
  const agent = createNodeAgent({
    host: "localhost",
    port,
    caPem: identity.cert,
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    project: "mayfly",
    location: "here",
    registry: "lamps",
    device: "lamp-1",
  });
  t.after(() => agent.stop());

  agent.start();
  const answer = agent.publish(utf8Encode("21.5"));
  assert.ok(answer.kind === "accepted");
  const outcome = await answer.outcome;
  agent.stop();

  assert.deepEqual(outcome, { kind: "acknowledged" });
  assert.deepEqual(seen.slice(0, 4), ["connect", "signed", "subscribe", "publish"]);
  assert.equal(agent.status().acknowledged, 1);
});
