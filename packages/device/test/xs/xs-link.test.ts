/** Links over the SDK's sockets, on stand-ins that behave as its sources read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createXsConnect } from "@mayfly/device/xs";
import { closeWaitMillis, outgoingBytesMax } from "../../src/host/xs/xs-link.ts";
import { StandInNet, StandInSockets, StandInTime, StandInTls } from "./moddable-stand-ins.ts";

const target = { host: "bridge.example", port: 8883 };

function arrange(over: "tcp" | "tls" = "tcp") {
  const clock = new StandInTime();
  const net = new StandInNet();
  const sockets = new StandInSockets();
  const ports = { net, timer: clock.timer, tcp: sockets.Tcp };
  const tls = { io: StandInTls, secure: {} };
  const connect = createXsConnect(over === "tcp" ? ports : { ...ports, tls }, target);
  const told: string[] = [];
  const received: number[] = [];
  const events = {
    opened: () => {
      told.push("opened");
    },
    received: (bytes: Uint8Array) => {
      received.push(...bytes);
    },
    closed: (because: string) => {
      told.push(`closed ${because}`);
    },
  };
  return { clock, net, sockets, connect, told, received, events };
}

/** A link that is open, with room for `room` bytes. */
function opened(room = 1_536) {
  const house = arrange();
  const link = house.connect(house.events);
  house.net.asked[0]?.answer("192.0.2.1");
  house.sockets.last.giveRoom(room);
  return { ...house, link, socket: house.sockets.last };
}

test("a link is open with the first room to write, not when the socket is made", () => {
  const { net, sockets, connect, told, events } = arrange();
  connect(events);
  net.asked[0]?.answer("192.0.2.1");
  const before = [...told];

  sockets.last.giveRoom(1_536);
  sockets.last.giveRoom(1_536);

  assert.deepEqual(before, []);
  assert.deepEqual(told, ["opened"]);
  assert.equal(sockets.last.options.address, "192.0.2.1");
});

test("what there is no room for waits, in order, and no write asks for more than there is", () => {
  const { link, socket } = opened(10);

  link.write(Uint8Array.of(1, 2, 3, 4, 5, 6));
  link.write(Uint8Array.of(7, 8, 9, 10, 11, 12));
  const first = [[...socket.written], link.bufferedBytes];
  socket.giveRoom(1);
  socket.giveRoom(100);

  assert.deepEqual(first, [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 2]);
  assert.deepEqual(socket.written, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.equal(link.bufferedBytes, 0);
});

test("as much may wait as the bound says, and one byte more ends the link", () => {
  const { clock, link, told, sockets } = opened(0);

  link.write(new Uint8Array(outgoingBytesMax));
  clock.advance(1);
  const atTheBound = [...told];
  link.write(new Uint8Array(1));
  clock.advance(1);

  assert.deepEqual(atTheBound, ["opened"]);
  assert.deepEqual(told, ["opened", "closed the bridge reads too slowly"]);
  assert.equal(sockets.open.length, 0);
});

test("a link that is closed writes what it holds first", () => {
  const { link, socket, sockets } = opened(2);
  link.write(Uint8Array.of(1, 2, 3));

  link.close();
  const before = socket.isClosed;
  socket.giveRoom(10);

  assert.equal(before, false);
  assert.deepEqual(socket.written, [1, 2, 3]);
  assert.equal(sockets.open.length, 0);
});

test("a link that is closed while nobody reads is gone after the close wait", () => {
  const { clock, link, sockets } = opened(0);
  link.write(Uint8Array.of(1));

  link.close();
  clock.advance(closeWaitMillis - 1);
  const before = sockets.open.length;
  clock.advance(1);

  assert.deepEqual([before, sockets.open.length], [1, 0]);
});

test("the end of a connection is told once, without a reason, as the socket gives none", () => {
  const { socket, told, link } = opened();

  socket.fail();
  link.write(Uint8Array.of(1));
  link.close();

  assert.deepEqual(told, ["opened", "closed "]);
});

test("what came before the end is read before the end is told", async () => {
  const { socket, told, received, clock, link } = opened();
  link.pause();
  socket.arrive(1, 2);
  socket.fail();
  const paused = [[...received], [...told]];

  link.resume();
  clock.advance(1);
  await Promise.resolve();

  assert.deepEqual(paused, [[], ["opened"]]);
  assert.deepEqual(received, [1, 2]);
  assert.deepEqual(told, ["opened", "closed "]);
});

test("a name that is not known, a resolver that is busy and a peer that is not there are told apart", () => {
  const unknown = arrange();
  unknown.connect(unknown.events);
  unknown.net.asked[0]?.answer(undefined);

  const busy = arrange();
  busy.net.isBusy = true;
  busy.connect(busy.events);
  busy.clock.advance(1);

  const away = arrange();
  away.connect(away.events);
  away.net.asked[0]?.answer("192.0.2.1");
  away.sockets.last.fail();

  assert.deepEqual(unknown.told, ["closed the bridge's name is not known"]);
  assert.deepEqual(busy.told, ["closed the resolver is busy"]);
  assert.deepEqual(away.told, ["closed no connection"]);
});

test("an attempt that is given up opens no socket when its name is known", () => {
  const { net, sockets, connect, events, told } = arrange();
  const link = connect(events);

  link.close();
  net.asked[0]?.answer("192.0.2.1");

  assert.equal(sockets.open.length, 0);
  assert.equal(told.includes("opened"), false);
});

test("never two sockets: a second link takes the first one's place, and the first is told", () => {
  const { clock, net, sockets, connect, events, told } = opened();
  const second: string[] = [];

  connect({ ...events, opened: () => second.push("opened") });
  clock.advance(1);
  net.asked[1]?.answer("192.0.2.1");
  sockets.last.giveRoom(1_536);

  assert.deepEqual(told, ["opened", "closed another connection took its place"]);
  assert.deepEqual(second, ["opened"]);
  assert.equal(sockets.most, 1);
});

test("over TLS a link is open when the handshake is done, and room leaves space for a record's overhead", () => {
  const { net, sockets, connect, told, events } = arrange("tls");
  const link = connect(events);
  net.asked[0]?.answer("192.0.2.1");
  const { last } = sockets;
  last.giveRoom(200);
  const before = [...told];
  last.arrive(1);

  link.write(new Uint8Array(60).fill(9));
  link.write(new Uint8Array(60).fill(9));
  const first = link.bufferedBytes;
  last.giveRoom(200);

  assert.deepEqual(before, []);
  assert.deepEqual(told, ["opened"]);
  // 200, less one byte of handshake, is 104 bytes of contents; after a record of 60 there is no telling.
  assert.equal(first, 60);
  assert.equal(link.bufferedBytes, 0);
});

test("a TLS session that throws out of the socket's callback ends the link and nothing else", () => {
  const { net, sockets, connect, told, events } = arrange("tls");
  connect(events);
  net.asked[0]?.answer("192.0.2.1");
  const { last } = sockets;
  last.giveRoom(1_536);

  assert.doesNotThrow(() => last.arrive(0));

  assert.deepEqual(told, ["closed TLS failed"]);
  assert.equal(sockets.open.length, 0);
});
