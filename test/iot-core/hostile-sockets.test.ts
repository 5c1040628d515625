/**
 * Sockets that are hostile below MQTT: they say nothing, half of something, or no longer listen. Each has a bound, and
 * is gone when that is over; those who leave by themselves cost nothing.
 *
 * All of them hang at once, since bounds are waits: the suite takes as long as the longest.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { AdminApiError } from "@mayfly/core/admin";
import type { FleetDevice } from "../process/fleet.ts";
import {
  connectPacket,
  packetType,
  pingreqPacket,
  publishPacket,
  RawConnection,
  subscribePacket,
} from "../process/raw-mqtt.ts";
import { goodToken, HostileHouse } from "./hostile-house.ts";

/** `connectTimeoutMillis` of the bridge, and `handshakeTimeout` of its TLS. */
const strangerMillisMax = 10_000;
/** How much later than its bound a wait may end: timers, and a machine that does other things as well. */
const lateMillisMax = 2_000;
/** For whom the bridge ends at once. */
const promptMillisMax = 3_000;
const manyAtATime = 100;
/** `closeWaitMillis` of the listener: what a peer that does not read has left to be gone. */
const closeWaitMillis = 2_000;

const commandBytes = 256 * 1024;
/** What the network between may hold beside that 1 MiB: buffers of two kernels. */
const unreadBytesMax = 64 * 1024 * 1024;

const house = new HostileHouse();
before(() => house.open(8));
after(() => house.end());

function device(index: number): FleetDevice {
  const found = house.devices[index];
  assert.ok(found);
  return found;
}

async function dialPlain(port = house.bridge.port): Promise<Socket> {
  const socket = connectTcp({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** How long until the bridge ended it, in milliseconds. */
async function endOf(socket: Socket | TLSSocket): Promise<number> {
  const startMillis = performance.now();
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return performance.now() - startMillis;
}

function assertWithin(millis: number, leastMillis: number, mostMillis: number): void {
  assert.ok(
    millis >= leastMillis && millis <= mostMillis,
    `ended after ${Math.round(millis)} ms, not within ${leastMillis} to ${mostMillis}`,
  );
}

function assertAtBound(millis: number): void {
  assertWithin(millis, strangerMillisMax - 500, strangerMillisMax + lateMillisMax);
}

async function connected(
  index: number,
  keepAliveSeconds = 0,
): Promise<{ socket: TLSSocket; mqtt: RawConnection }> {
  const { clientIdentifier } = device(index);
  const socket = await house.dial();
  const mqtt = new RawConnection(socket);
  const order = { version: 5, clientIdentifier, token: goodToken(device(index)) } as const;
  const connect = connectPacket(order);
  // Keep Alive stands behind the Protocol Name, the version and the flags.
  connect.writeUInt16BE(keepAliveSeconds, connect.indexOf("MQTT") + 6);
  const connack = await mqtt.ask(connect, packetType.connack);
  assert.equal(connack[1], 0);
  return { socket, mqtt };
}

test("hostile sockets are gone when their bound is over", {
  concurrency: true,
  timeout: 45_000,
}, async (t) => {
  await Promise.all([
    t.test("TCP that never begins TLS: 10 s", async () => {
      assertAtBound(await endOf(await dialPlain()));
    }),

    t.test("TCP that never begins TLS at the device HTTPS listener: 10 s", async () => {
      assertAtBound(await endOf(await dialPlain(house.httpPort)));
    }),

    t.test("TCP that never begins TLS at the admin listener: 10 s", async () => {
      assertAtBound(await endOf(await dialPlain(Number(new URL(house.bridge.endpoints.admin).port))));
    }),

    t.test("half a ClientHello: 10 s", async () => {
      const socket = await dialPlain();
      socket.write(Buffer.from("16030100c8010000c40303", "hex"));
      assertAtBound(await endOf(socket));
    }),

    t.test("a TLS session that sends no CONNECT: 10 s", async () => {
      assertAtBound(await endOf(await house.dial()));
    }),

    t.test("a CONNECT that trickles, a byte a second: 10 s", async () => {
      const socket = await house.dial();
      const { clientIdentifier } = device(0);
      const connect = connectPacket({ version: 5, clientIdentifier, token: goodToken(device(0)) });
      let at = 0;
      const trickle = setInterval(() => {
        socket.write(connect.subarray(at, at + 1));
        at += 1;
      }, 1_000);
      const millis = await endOf(socket);
      clearInterval(trickle);
      assertAtBound(millis);
      assert.ok(at < connect.length);
    }),

    t.test("a hundred TLS sessions that send no CONNECT: 10 s each, and no room taken after", async () => {
      const ends = await Promise.all(
        Array.from({ length: manyAtATime }, async () => endOf(await house.dial())),
      );
      for (const millis of ends) assertAtBound(millis);
    }),

    t.test("MQTT without TLS is ended at once", async () => {
      const socket = await dialPlain();
      socket.write(connectPacket({ version: 4, clientIdentifier: "c", token: "t", userName: "u" }));
      assertWithin(await endOf(socket), 0, promptMillisMax);
    }),

    t.test("HTTP without TLS is ended at once", async () => {
      const socket = await dialPlain();
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertWithin(await endOf(socket), 0, promptMillisMax);
    }),

    t.test("1 MiB of noise without TLS is ended at once", async () => {
      const socket = await dialPlain();
      socket.write(Buffer.alloc(1 << 20, 0x55));
      assertWithin(await endOf(socket), 0, promptMillisMax);
    }),

    t.test("a TLS record above its maximum is ended at once", async () => {
      const socket = await dialPlain();
      socket.write(Buffer.concat([Buffer.from("160301ffff", "hex"), Buffer.alloc(65_535)]));
      assertWithin(await endOf(socket), 0, promptMillisMax);
    }),

    t.test("TLS 1.1 is refused in the handshake", async () => {
      const socket = connectTls({
        ...{ host: "127.0.0.1", port: house.bridge.port, ca: house.ca, servername: "localhost" },
        ...{ minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
      });
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      assert.match(error.code ?? "", /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/);
    }),

    t.test("who leaves before anything was said, by FIN, leaves nothing", async () => {
      for (let index = 0; index < manyAtATime; index += 1) (await dialPlain()).end();
    }),

    t.test("who leaves before anything was said, by RST, leaves nothing", async () => {
      for (let index = 0; index < manyAtATime; index += 1) (await dialPlain()).resetAndDestroy();
    }),

    t.test("who leaves in the middle of a CONNECT, by RST, leaves nothing", async () => {
      const { clientIdentifier } = device(1);
      const connect = connectPacket({ version: 5, clientIdentifier, token: goodToken(device(1)) });
      for (let index = 0; index < 20; index += 1) {
        const plain = await dialPlain();
        const socket = connectTls({ socket: plain, ca: house.ca, servername: "localhost" });
        socket.on("error", () => undefined);
        await once(socket, "secureConnect");
        await new Promise<void>((resolve) => socket.write(connect.subarray(0, 40), () => resolve()));
        plain.resetAndDestroy();
      }
    }),

    t.test("a CONNECT byte by byte is a CONNECT", async () => {
      const { clientIdentifier } = device(2);
      const socket = await house.dial();
      const mqtt = new RawConnection(socket);
      const connect = connectPacket({ version: 5, clientIdentifier, token: goodToken(device(2)) });
      for (const byte of connect.subarray(0, -1)) socket.write(Buffer.of(byte));

      const connack = await mqtt.ask(connect.subarray(-1), packetType.connack);

      assert.equal(connack[1], 0);
      mqtt.destroy();
    }),

    t.test("a CONNECT and a second one in one segment: accepted, then DISCONNECT 0x82", async () => {
      const { clientIdentifier } = device(3);
      const mqtt = new RawConnection(await house.dial());
      const connect = connectPacket({ version: 5, clientIdentifier, token: goodToken(device(3)) });

      const connack = await mqtt.ask(Buffer.concat([connect, connect]), packetType.connack);

      assert.equal(connack[1], 0);
      assert.equal((await mqtt.cut).reasonCode, 0x82);
    }),

    t.test("half-open, with a Keep Alive of 2 s: DISCONNECT 0x8D after 3 s of silence", async () => {
      const { mqtt } = await connected(4, 2);
      const startMillis = performance.now();
      const { reasonCode } = await mqtt.cut;
      assertWithin(performance.now() - startMillis, 2_500, 3_000 + lateMillisMax);
      assert.equal(reasonCode, 0x8d);
    }),

    t.test(
      "half a PUBLISH does not keep a connection alive: one and a half Keep Alives after its last byte",
      async () => {
        const { mqtt } = await connected(5, 2);
        const message = {
          topicName: `/devices/${device(5).id}/events`,
          packetIdentifier: 1,
          payload: "x".repeat(99),
        };
        mqtt.send(publishPacket(5, { ...message, isDuplicate: false }).subarray(0, 60));
        const startMillis = performance.now();
        const { reasonCode } = await mqtt.cut;
        assertWithin(performance.now() - startMillis, 2_500, 3_000 + lateMillisMax);
        assert.equal(reasonCode, 0x8d);
      },
    ),

    t.test(
      "a subscriber that does not read: commands are refused once 1 MiB waits, and Keep Alive and 2 s end it",
      async () => {
        const { socket, mqtt } = await connected(6, 8);
        const { id, path } = device(6);
        const subscribe = Buffer.from(subscribePacket(5, `/devices/${id}/commands/#`));
        // QoS 0: nobody waits for a PUBACK, so a command is refused for what waits alone.
        subscribe[subscribe.length - 1] = 0;
        await mqtt.ask(subscribe, packetType.suback);
        socket.pause();
        const startMillis = performance.now();

        let sentBytes = 0;
        const refusal = await (async () => {
          while (sentBytes < unreadBytesMax) {
            try {
              await house.fleet.admin.sendCommand(path, Buffer.alloc(commandBytes, "c"));
              sentBytes += commandBytes;
            } catch (error) {
              if (error instanceof AdminApiError) return error.status;
              throw error;
            }
          }
          return "none";
        })();
        const isHeldBefore = isHeldByBridge(socket);
        while (isHeldByBridge(socket) && performance.now() - startMillis < 20_000) await pause(500);
        const goneMillis = performance.now() - startMillis;
        socket.destroy();

        assert.equal(refusal, "RESOURCE_EXHAUSTED");
        assert.ok(sentBytes > 0);
        assert.ok(isHeldBefore);
        assertWithin(goneMillis, 12_000 - 500, 12_000 + closeWaitMillis + lateMillisMax);
      },
    ),

    t.test("who floods PINGREQs and does not read the answers is cut once 2 MiB of them wait", async () => {
      const { socket } = await connected(7);
      socket.pause();
      const pings = Buffer.alloc(512 * 1024, pingreqPacket);
      let sentBytes = 0;
      // Cut with bytes unread, the connection is reset, and writing finds out.
      while (!socket.destroyed && sentBytes < unreadBytesMax) {
        const isTaken = new Promise((resolve) => socket.write(pings, resolve));
        await Promise.race([isTaken, pause(1_000)]);
        sentBytes += pings.length;
      }
      const isCut = socket.destroyed;
      socket.destroy();

      assert.ok(isCut, `still served after ${sentBytes} bytes`);
    }),
  ]);
});

/** Does a process still hold the other end? The kernel may go on for a while without one. */
function isHeldByBridge({ localPort = 0 }: Socket): boolean {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  const rows = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => readFileSync(file, "utf8").split("\n"));
  const isOtherEnd = new RegExp(`^ *\\d+: \\w+:${hex(house.bridge.port)} \\w+:${hex(localPort)} `);
  const [row] = rows.filter((each) => isOtherEnd.test(each));
  // sl local remote st queues timer retransmits uid timeout inode
  return row !== undefined && row.trim().split(/\s+/)[9] !== "0";
}

test("all the while an honest device is served within 2 s, the process lives and grows little, and nothing is left of the sockets", async (t) => {
  t.diagnostic(JSON.stringify(await house.verdict()));
});
