import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { request, timePorts, verifyAsDevice } from "../../test/time-house.ts";
import { createTimeAnswerer } from "../time/time-answerer.ts";
import {
  answerDatagrams,
  answersWaitingMax,
  type DatagramSocket,
  openTimeListener,
} from "./time-listener.ts";

async function openHouse(t: TestContext) {
  const ports = timePorts();
  const listener = await openTimeListener(
    createTimeAnswerer(ports),
    { port: 0, address: "127.0.0.1" },
    (error) => assert.fail(error),
  );
  t.after(() => listener.close());
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  await new Promise<void>((resolve) => {
    socket.connect(listener.port, "127.0.0.1", resolve);
  });
  return { ports, listener, socket };
}

async function ask(socket: Socket, bytes: Uint8Array): Promise<Uint8Array> {
  const answer = once(socket, "message") as Promise<[Buffer]>;
  socket.send(bytes);
  return new Uint8Array((await answer)[0]);
}

test("a datagram is answered to where it came from, and the answer is believed", async (t) => {
  const { socket } = await openHouse(t);

  await verifyAsDevice(await ask(socket, request));
});

test("what is no request is met with silence: the first that comes back answers the first real one", async (t) => {
  const { socket, ports } = await openHouse(t);
  let received = 0;
  socket.on("message", () => {
    received += 1;
  });

  for (const bytes of [request.subarray(0, 292), new Uint8Array(293), new Uint8Array(1_200)])
    socket.send(bytes);
  await verifyAsDevice(await ask(socket, request));

  assert.equal(received, 1);
  assert.deepEqual(ports.told.slice(0, 3), Array(3).fill("udp request_malformed"));
});

test("a request that may not be answered is met with silence too", async (t) => {
  const { socket, ports } = await openHouse(t);
  const { key } = ports.holder;
  ports.holder.key = undefined;
  ports.observer.timeAsked = (facts) => {
    ports.told.push(facts.outcome);
    ports.holder.key = key;
  };
  let received = 0;
  socket.on("message", () => {
    received += 1;
  });

  socket.send(request);
  await verifyAsDevice(await ask(socket, request));

  assert.deepEqual([ports.told, received], [["delegation_missing", "answered"], 1]);
});

test("a port that is taken is a failure of the start", async (t) => {
  const { ports, listener } = await openHouse(t);
  const at = { port: listener.port, address: "127.0.0.1" };

  await assert.rejects(openTimeListener(createTimeAnswerer(ports), at, assert.fail), { code: "EADDRINUSE" });
});

test("without an address it listens on IPv4 as well as IPv6", async (t) => {
  const listener = await openTimeListener(createTimeAnswerer(timePorts()), { port: 0 }, assert.fail);
  t.after(() => listener.close());
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  await new Promise<void>((resolve) => {
    socket.connect(listener.port, "127.0.0.1", resolve);
  });

  await verifyAsDevice(await ask(socket, request));
});

test("at most 128 answers wait for a kernel that takes none, and the next leaves when it takes one again", () => {
  const untaken: (() => void)[] = [];
  let deliver: Parameters<DatagramSocket["on"]>[1] = () => assert.fail("nobody listens");
  const stuck: DatagramSocket = {
    on: (_event, take) => {
      deliver = take;
    },
    send: (_bytes, _port, _address, done) => void untaken.push(done),
  };
  answerDatagrams(stuck, createTimeAnswerer(timePorts()));
  const ask = (from: number) => deliver(request, { address: `192.0.2.${from}`, port: 4_000 });

  for (let from = 0; from < 200; from++) ask(from);
  const atMost = untaken.length;
  untaken[0]?.();
  ask(200);
  ask(201);

  assert.deepEqual([atMost, untaken.length], [answersWaitingMax, answersWaitingMax + 1]);
});
