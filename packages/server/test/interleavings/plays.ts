/**
 * The plays: everything that devices, their network, the application, the operator and the store can do to a
 * bridge, one at a time and in any order.
 *
 * A device may be silly (a wrong PUBACK, a packet on the old socket) but for what would end its connection: that is
 * played rarely, so that stories get long.
 */
import type { KeyState } from "@mayfly/core/token";
import { fernPath } from "../bridge-world.ts";
import { type Arena, type Device, firstRegistered, type Peer } from "./arena.ts";
import type { Registered } from "./oracle/rights.ts";
import { paperToken, type TokenFacts } from "./paper-tokens.ts";

/** design §9. */
const receiveMaximum = 20;
const socketsPerDeviceMax = 5;
const tokensKept = 4;
const outgoingFullBytes = 2_000_000;
/** Shorter than the shortest Keep Alive that is asked for. */
const pingMillis = 15_000;
const passMillisMax = 700_000;

export type Play = (arena: Arena) => void | Promise<void>;

const pathOf = (device: Device) => fernPath.replace(/fern$/, device.name);

function anyPeer(arena: Arena): Peer | undefined {
  const peers = arena.devices.flatMap(({ sockets }) => sockets).filter(({ socket }) => socket.isOpen);
  return peers.length === 0 ? undefined : arena.choice.of(peers);
}

/** A play on some open socket whose CONNECT was sent; nothing where there is none. */
function onPeer(play: (arena: Arena, peer: Peer) => void): Play {
  return (arena) => {
    const peer = anyPeer(arena);
    if (peer?.hasConnected === true) play(arena, peer);
  };
}

function tokenFor(arena: Arena, device: Device): TokenFacts {
  const { choice } = arena;
  if (device.tokens.length > 0 && choice.percent(20)) return choice.of(device.tokens);
  const iat = Math.floor(arena.time.wallSeconds()) - choice.of([0, 0, 1, 30, 100, -60, -120]);
  const flaws = ["signature", "audience", "subject", "form"] as const;
  const token = paperToken({
    key: choice.of(Object.keys(device.registered.keys)),
    iat,
    exp: iat + choice.of([20, 100, 100, 130, 600, 600, 3600]),
    sub: pathOf(device),
    flaw: choice.percent(4) ? choice.of(flaws) : "none",
  });
  device.tokens.push(token);
  if (device.tokens.length > tokensKept) device.tokens.shift();
  return token;
}

export type Manner = "clean4" | "kept4" | "handover4" | "clean5" | "kept5" | "method5";
const manners: readonly Manner[] = ["clean4", "kept4", "handover4", "clean5", "kept5", "method5"];

export function connect(
  arena: Arena,
  peer: Peer,
  manner: Manner,
  token: TokenFacts,
  isSettling = false,
): void {
  const { choice, oracle } = arena;
  const { socket, device } = peer;
  const version = socket.version;
  const isMethod = manner === "method5";
  const isKept4 = manner === "kept4" || manner === "handover4";
  const clean = manner.startsWith("clean") || (version === 5 && !isSettling && choice.percent(20));
  const expiry = isSettling ? 3600 : version === 5 ? choice.of([0, 30, 600, 600, 3600, 100_000]) : 0;
  const narrow = isSettling ? 65_535 : choice.of([1, 2, 5, 65_535, 65_535]);
  const keepAlive = isSettling ? 0 : choice.of([0, 0, 20, 60, 600]);
  const asked = {
    version,
    clean: version === 4 ? !isKept4 : clean,
    expirySeconds: version === 5 ? expiry : isKept4 ? Number.POSITIVE_INFINITY : 0,
    byMethod: isMethod,
    asksHandover: manner === "handover4",
    keepAliveSeconds: keepAlive,
    receiveMaximum: version === 5 ? narrow : 65_535,
    token,
  };
  peer.hasConnected = true;
  peer.isByMethod = isMethod;
  const { name } = socket;
  const { flaw, key, iat, exp } = token;
  arena.tell(
    `${name} CONNECT of ${device.name} ${manner} ${JSON.stringify({ ...asked, token: { flaw, key, iat, exp } })}`,
  );
  const properties = {
    sessionExpiryInterval: expiry,
    ...(narrow === 65_535 ? {} : { receiveMaximum: narrow }),
    ...(isMethod ? { authenticationMethod: "mayfly-jwt", authenticationData: Buffer.from(token.text) } : {}),
  };
  socket.send(
    {
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: version,
      clientId: pathOf(device),
      clean: asked.clean,
      keepalive: keepAlive,
      username: manner === "handover4" ? "mayfly/1 handover" : choice.percent(50) ? "mayfly/1" : "unused",
      ...(isMethod ? {} : { password: Buffer.from(token.text) }),
      ...(version === 5 ? { properties } : {}),
    },
    () => oracle.connectArrives(name, asked),
  );
}

const open: Play = (arena) => {
  const { choice } = arena;
  const device = choice.of(arena.devices);
  if (arena.isDraining || device.sockets.length >= socketsPerDeviceMax) return;
  const manner = choice.of(manners);
  const peer = arena.open(device, manner.endsWith("4") ? 4 : 5);
  if (choice.percent(4)) arena.tell(`${peer.socket.name} opened, and says nothing`);
  else connect(arena, peer, manner, tokenFor(arena, device));
};

const publish = onPeer((arena, peer) => {
  const { choice, oracle } = arena;
  const { socket, device, unacknowledged } = peer;
  if (unacknowledged.size >= receiveMaximum && !choice.percent(2)) return;
  const wanted = choice.percent(15) ? undefined : 1 + choice.below(25);
  if (wanted !== undefined && unacknowledged.has(wanted)) return;
  arena.serial += 1;
  const isLong = socket.version === 4 && choice.percent(5);
  const payload = `m${arena.serial}${isLong ? "x".repeat(12_000) : ""}`;
  const isState = choice.percent(15);
  const topic = `/devices/${device.name}/${isState ? "state" : "events"}`;
  if (wanted !== undefined) unacknowledged.add(wanted);
  arena.tell(`${socket.name} PUBLISH m${arena.serial} id ${wanted} ${topic}`);
  socket.send(
    {
      cmd: "publish",
      topic,
      payload,
      qos: wanted === undefined ? 0 : 1,
      dup: false,
      retain: false,
      ...(wanted === undefined ? {} : { messageId: wanted }),
    },
    () => oracle.publishArrives(socket.name, payload, wanted, isState),
  );
});

const subscribe = onPeer((arena, { socket, device }) => {
  const { choice, oracle } = arena;
  const filters = ["config", "commands/#", "errors"].map((end) => `/devices/${device.name}/${end}`);
  const count = 1 + choice.below(2);
  const topics = Array.from({ length: count }, () => ({
    topic: choice.of([filters[0] ?? "", filters[1] ?? "", filters[1] ?? "", ...filters]),
    qos: choice.of([0, 1, 1, 1, 2] as const),
  }));
  const messageId = 100 + choice.below(100);
  arena.tell(`${socket.name} SUBSCRIBE ${JSON.stringify(topics)}`);
  socket.send({ cmd: "subscribe", messageId, subscriptions: topics }, () =>
    oracle.subscribeArrives(socket.name, messageId, topics),
  );
});

const unsubscribe = onPeer((arena, { socket, device }) => {
  const { choice, oracle } = arena;
  const topic = `/devices/${device.name}/${choice.of(["config", "commands/#"])}`;
  const messageId = 100 + choice.below(100);
  arena.tell(`${socket.name} UNSUBSCRIBE ${topic}`);
  socket.send({ cmd: "unsubscribe", messageId, unsubscriptions: [topic] }, () =>
    oracle.unsubscribeArrives(socket.name, messageId, topic),
  );
});

export function sendPuback(arena: Arena, { socket }: Peer, messageId: number): void {
  arena.tell(`${socket.name} PUBACK ${messageId}`);
  socket.send({ cmd: "puback", messageId }, () => arena.oracle.pubackArrives(socket.name, messageId));
}

const puback = onPeer((arena, peer) => {
  const { received } = peer.socket;
  if (received.length === 0) return;
  const index = arena.choice.percent(80) ? 0 : arena.choice.below(received.length);
  const [messageId] = received.splice(index, 1);
  if (messageId !== undefined) sendPuback(arena, peer, messageId);
});

const wrongPuback = onPeer((arena, peer) => {
  const { choice } = arena;
  // Before CONNACK it might hit what is about to be sent, and be right.
  if (!peer.isConnacked) return;
  // One that another socket of the device should have had, or one of nobody.
  const others = peer.device.sockets.flatMap(({ socket }) => (socket === peer.socket ? [] : socket.received));
  const messageId = others.length > 0 && choice.percent(70) ? choice.of(others) : 1 + choice.below(40_000);
  sendPuback(arena, peer, messageId);
});

const authenticate = onPeer((arena, { socket, device, isByMethod, isConnacked }) => {
  const { choice, oracle } = arena;
  if (socket.version === 4 || !isConnacked || (!isByMethod && !choice.percent(5))) return;
  const token = tokenFor(arena, device);
  const { flaw, key, iat, exp } = token;
  arena.tell(`${socket.name} AUTH ${JSON.stringify({ flaw, key, iat, exp })}`);
  const properties = { authenticationMethod: "mayfly-jwt", authenticationData: Buffer.from(token.text) };
  socket.send({ cmd: "auth", reasonCode: 0x19, properties }, () => oracle.authArrives(socket.name, token));
});

const ping = onPeer((arena, { socket }) => {
  arena.tell(`${socket.name} PINGREQ`);
  socket.send({ cmd: "pingreq" }, () => arena.oracle.pingArrives(socket.name));
});

const disconnect = onPeer((arena, { socket }) => {
  const { choice, oracle } = arena;
  const expiry = socket.version === 5 && choice.percent(30) ? choice.of([0, 0, 60]) : undefined;
  arena.tell(`${socket.name} DISCONNECT ${expiry}`);
  const properties = expiry === undefined ? {} : { properties: { sessionExpiryInterval: expiry } };
  socket.send({ cmd: "disconnect", reasonCode: 0, ...properties }, () =>
    oracle.disconnectArrives(socket.name, expiry),
  );
});

const lose: Play = (arena) => {
  const peers = arena.devices.flatMap(({ sockets }) => sockets);
  if (peers.length === 0) return;
  const peer = arena.choice.of(peers);
  arena.tell(`${peer.socket.name} is lost`);
  arena.lose(peer);
};

const backpressure = onPeer((arena, { socket }) => {
  if (socket.bufferedBytes === 0 && !arena.choice.percent(30)) return;
  socket.bufferedBytes = socket.bufferedBytes === 0 ? outgoingFullBytes : 0;
  arena.tell(`${socket.name} has ${socket.bufferedBytes} bytes waiting`);
  arena.oracle.full(socket.name);
});

const command: Play = (arena) => arena.command(arena.choice.of(arena.devices));

const configure: Play = async (arena) => {
  const device = arena.choice.of(arena.devices);
  if (device.registered.exists) await arena.configure(device, arena.oracle.configVersion(device.name) + 1);
};

const backboneAnswers: Play = (arena) => {
  const { choice, appended } = arena;
  if (appended.length === 0) return;
  const outcome = choice.percent(2) ? "queue_full" : "durable";
  arena.answer(choice.percent(60) ? 0 : choice.below(appended.length), outcome);
};

const storeReads: Play = ({ late, choice }) => {
  if (late.reads.length > 0) late.releaseRead(choice.below(late.reads.length));
};

const storeWrites: Play = ({ late }) => late.releaseWrite();

const register: Play = async (arena) => {
  const { choice } = arena;
  const device = choice.of(arena.devices);
  const { registered } = device;
  await arena.register(device, nextRegistered(arena, device.name, registered));
};

function nextRegistered(arena: Arena, name: string, before: Registered): Registered {
  const { choice } = arena;
  if (!before.exists) return firstRegistered(name, before.generation + 1);
  // What is broken is mended more often than not.
  if (before.isBlocked) return { ...before, isBlocked: false };
  if (choice.percent(25)) return { ...before, isBlocked: true };
  if (choice.percent(15)) return { ...before, exists: false };
  const keyName = choice.of(Object.keys(before.keys));
  const key = before.keys[keyName];
  if (key === undefined || key.state === "revoked") return { ...before, exists: false };
  const state: KeyState =
    key.state === "retired" ? "active" : choice.of(["pending", "active", "retiring", "retired", "revoked"]);
  const endsSeconds = Math.floor(arena.time.wallSeconds()) + choice.of([5, 60, 600]);
  return {
    ...before,
    keys: { ...before.keys, [keyName]: state === "retiring" ? { state, endsSeconds } : { state } },
  };
}

const pass: Play = async (arena) => {
  const millis = arena.choice.of([
    1, 20, 300, 1_000, 1_000, 2_000, 5_000, 5_000, 11_000, 30_000, 120_000, 700_000,
  ]);
  arena.tell(`${millis} ms pass`);
  await arena.settle(millis);
};

/** To half a second before, or behind, the deadline that some device's token gives; no peer is silent meanwhile. */
const passToDeadline: Play = async (arena) => {
  const { choice, time, house } = arena;
  const tokens = arena.devices.flatMap((device) => device.tokens);
  if (tokens.length === 0) return;
  const deadline = choice.of(tokens).exp + house.graceSeconds;
  const millis = Math.round((deadline - time.wallSeconds()) * 1000) + choice.of([-500, 500]);
  if (millis <= 0 || millis > passMillisMax) return;
  arena.tell(`${millis} ms pass, to a deadline`);
  for (let left = millis; left > 0; left -= pingMillis) {
    for (const { socket, isConnacked } of arena.devices.flatMap(({ sockets }) => sockets)) {
      if (!isConnacked) continue;
      socket.send({ cmd: "pingreq" }, () => arena.oracle.pingArrives(socket.name));
    }
    await arena.settle(Math.min(left, pingMillis));
  }
};

const drain: Play = (arena) => {
  if (!arena.choice.percent(2)) return;
  arena.tell("the bridge drains");
  arena.isDraining = true;
  arena.oracle.drains();
  arena.bridge.drain();
};

/** How often each is played. */
const table: readonly (readonly [times: number, play: Play])[] = [
  [14, open],
  [22, publish],
  [12, subscribe],
  [2, unsubscribe],
  [14, puback],
  [3, wrongPuback],
  [8, authenticate],
  [2, ping],
  [3, disconnect],
  [4, lose],
  [2, backpressure],
  [14, command],
  [4, configure],
  [20, backboneAnswers],
  [10, storeReads],
  [10, storeWrites],
  [3, register],
  [12, pass],
  [3, passToDeadline],
  [1, drain],
];
const deck: readonly Play[] = table.flatMap(([times, play]) => Array.from({ length: times }, () => play));

export function anyPlay(arena: Arena): Play {
  return arena.choice.of(deck);
}
