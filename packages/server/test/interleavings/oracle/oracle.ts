/**
 * The oracle: what the MQTT standard and the design let the bridge do, in a bookkeeping of its own.
 *
 * It is told what arrives at the bridge, what leaves it, and what the bridge says at its ports (a message appended,
 * a device connected and why it ended). From what arrived it knows what may leave; from what left, what still must.
 * It shares no code with the engine and never asks it.
 *
 * Left to others: how the runs are made up (`../plays.ts`), commands and configs (`downlink-book.ts`), causes of an
 * end (`ends.ts`), rights (`rights.ts`).
 */
import type { Packet } from "mqtt-packet";
import type { Slowness } from "../late-store.ts";
import type { TokenFacts } from "../paper-tokens.ts";
import { acknowledge, checkNothingOwed, checkOutcome, checkPublish, findCommand } from "./downlink-book.ts";
import { checkEnd, silenceEndsMillis } from "./ends.ts";
import {
  type Asked,
  type Deferred,
  type DeviceNote,
  expect,
  type SessionNote,
  type SocketNote,
} from "./notes.ts";
import { findDeadline, type House, isKeyGood, type Registered } from "./rights.ts";

/** design §9. */
const receiveMaximum = 20;
const sessionSecondsMax = 86_400;
const cutMillis = 1_000;
/** A connection that is not admitted stays 10 s at most; one whose device is fought over waits up to 5 s more. */
const connectMillis = 10_000;
const takeoverDelayMillis = 5_000;
const reauthenticationMillis = 5_000;
const takeoverCauses: ReadonlySet<string> = new Set(["taken_over", "renewed", "handed_over"]);

export interface OracleTime {
  monotonicMillis(): number;
  wallSeconds(): number;
}

/** What the world around the bridge knows of itself at the end of a turn. */
export interface Surroundings {
  bufferedBytes(socket: string): number;
  isPaused(socket: string): boolean;
}

export class Oracle {
  readonly #time: OracleTime;
  readonly #house: House;
  readonly #devices = new Map<string, DeviceNote>();
  readonly #sockets = new Map<string, SocketNote>();
  readonly #deferred = new Map<SocketNote, Deferred[]>();
  /** States of the registry that were true within the last seconds. */
  readonly #history = new Map<DeviceNote, { readonly untilMillis: number; readonly state: Registered }[]>();
  /** By payload: who sent it. */
  readonly #uploads = new Map<string, SocketNote>();
  #orders = 0;
  #isDraining = false;
  /** Reads that are late may keep the bridge from knowing. */
  #lateSinceMillis = Number.NEGATIVE_INFINITY;
  readonly #mayWritesBeLate: boolean;
  readonly #isStoreSlow: boolean;
  readonly #isStoreLate: () => boolean;

  /** @param isStoreLate whether the store owes answers now. */
  constructor(time: OracleTime, house: House, slowness: Slowness, isStoreLate: () => boolean) {
    this.#isStoreLate = isStoreLate;
    this.#time = time;
    this.#house = house;
    this.#mayWritesBeLate = slowness.writePercent > 0;
    this.#isStoreSlow = slowness.writePercent + slowness.readPercent > 0;
  }

  // ── What happens around the bridge ────────────────────────────────────────────────────────────────────

  registered(name: string, state: Registered, configVersion?: number): void {
    const device = this.#devices.get(name);
    if (device === undefined) {
      this.#devices.set(name, {
        ...{
          name,
          registered: state,
          configVersion: 1,
          configAcknowledged: 0,
          session: undefined,
          live: undefined,
          commands: [],
        },
      });
      return;
    }
    const untilMillis = this.#time.monotonicMillis();
    const past = (this.#history.get(device) ?? []).filter((one) => one.untilMillis > untilMillis - 60_000);
    this.#history.set(device, [...past, { untilMillis, state: device.registered }]);
    device.registered = state;
    if (configVersion !== undefined) {
      device.configVersion = configVersion;
      device.configAcknowledged = 0;
    }
    for (const socket of this.#sockets.values()) {
      if (socket.device !== device) continue;
      socket.judgement?.states.push(state);
      socket.authentication?.states.push(state);
      if (socket.phase === "live") this.#judgeLive(socket);
    }
    const { session } = device;
    if (session === undefined) return;
    if (session.generation === state.generation && isKeyGood(session.key, state)) return;
    if (!session.isOver && session.generation === state.generation && session.owner !== undefined) {
      session.keyLostMillis = untilMillis;
    }
    session.isOver = true;
    session.isOverByKey = session.generation === state.generation;
    // What it kept is owed to nobody, even if another key's token saves the connection.
    for (const command of device.commands) if (command.session === session) command.session = undefined;
  }

  configured(name: string): void {
    this.#device(name).configVersion += 1;
  }

  configVersion(name: string): number {
    return this.#device(name).configVersion;
  }

  opened(name: string, version: 4 | 5, device: string): void {
    const nowMillis = this.#time.monotonicMillis();
    this.#sockets.set(name, {
      ...{ name, version, device: this.#device(device), openedMillis: nowMillis, phase: "open" },
      ...{ asked: undefined, judgement: undefined, isConnacked: false, isResumed: false, isLost: false },
      ...{ isClosed: false, byeCode: undefined, session: undefined, generation: 0, admittedMillis: 0 },
      ...{ token: undefined, rightEnds: [0, 0], tokenEndsSeconds: 0, cutByMillis: Number.POSITIVE_INFINITY },
      ...{ lastArrivalMillis: nowMillis, faults: new Set(), uploads: [], inFlight: new Map() },
      ...{ configWritten: 0, lastOrder: 0, subscribes: [], unsubscribes: [], pings: 0 },
      ...{
        authentication: undefined,
        authAnswers: 0,
        verifiedMillis: Number.NEGATIVE_INFINITY,
        saidGoodbye: false,
      },
      ...{ fullMillis: Number.NEGATIVE_INFINITY, storeRefusedMillis: Number.POSITIVE_INFINITY },
    });
  }

  connectArrives(name: string, asked: Asked): void {
    const socket = this.#socket(name);
    if (socket.phase !== "open") return;
    socket.phase = "asked";
    socket.asked = asked;
    socket.judgement = this.#judgementOf(socket.device, asked.token);
    socket.lastArrivalMillis = this.#time.monotonicMillis();
  }

  /** @param isState it is a state, whose way to the store is seen at its end only. */
  publishArrives(
    name: string,
    payload: string,
    packetIdentifier: number | undefined,
    isState: boolean,
  ): void {
    this.#arrives(name, (socket) => {
      if (packetIdentifier === undefined) return;
      const owed = socket.uploads.length;
      if (socket.version === 5 && owed >= receiveMaximum) {
        socket.faults.add("receive_maximum_exceeded");
        return;
      }
      socket.uploads.push({ packetIdentifier, payload, isTaken: isState, isDurable: false });
      this.#uploads.set(payload, socket);
    });
  }

  pubackArrives(name: string, packetIdentifier: number): void {
    this.#arrives(name, (socket) => acknowledge(socket, packetIdentifier));
  }

  subscribeArrives(
    name: string,
    packetIdentifier: number,
    topics: readonly { readonly topic: string; readonly qos: 0 | 1 | 2 }[],
  ): void {
    this.#arrives(name, (socket) => {
      const granted = topics.map(({ topic, qos }) => {
        const { session } = socket;
        const kind = kindOf(topic, socket.device.name);
        if (kind === undefined || session === undefined) return socket.version === 4 ? 0x80 : 0x8f;
        const level = qos === 0 ? 0 : 1;
        session[kind] = level;
        if (kind === "config") {
          session.configHad = 0;
          socket.configWritten = 0;
        }
        return level;
      });
      socket.subscribes.push({ packetIdentifier, granted });
    });
  }

  unsubscribeArrives(name: string, packetIdentifier: number, topic: string): void {
    this.#arrives(name, (socket) => {
      const kind = kindOf(topic, socket.device.name);
      if (kind !== undefined && socket.session !== undefined) socket.session[kind] = undefined;
      socket.unsubscribes.push(packetIdentifier);
    });
  }

  pingArrives(name: string): void {
    this.#arrives(name, (socket) => {
      socket.pings += 1;
    });
  }

  authArrives(name: string, token: TokenFacts): void {
    this.#arrives(name, (socket) => {
      const nowMillis = this.#time.monotonicMillis();
      if (socket.version === 4 || socket.asked?.byMethod !== true) {
        socket.faults.add("protocol_error");
        return;
      }
      const isSame = token.text === socket.token?.text;
      const isSoon = !isSame && nowMillis < socket.verifiedMillis + reauthenticationMillis;
      if (socket.authentication !== undefined || isSoon) {
        socket.faults.add("reauthentication_too_often");
        return;
      }
      if (!isSame) socket.verifiedMillis = nowMillis;
      socket.authentication = { ...this.#judgementOf(socket.device, token), isSame };
      const isBack = token.iat < (socket.token?.iat ?? 0) - this.#house.skewSeconds;
      if (isBack || findDeadline(token, socket.device.registered, this.#now, this.#house) === undefined) {
        socket.faults.add("reauthentication_refused");
      }
    });
  }

  disconnectArrives(name: string, expirySeconds: number | undefined): void {
    const socket = this.#socket(name);
    if (socket.phase === "relieved") socket.saidGoodbye = true;
    this.#arrives(name, () => {
      if (expirySeconds !== undefined && expirySeconds > 0 && socket.asked?.expirySeconds === 0) {
        socket.faults.add("protocol_error");
        return;
      }
      socket.saidGoodbye = true;
      if (expirySeconds !== undefined && socket.session !== undefined) {
        socket.session.expirySeconds = expirySeconds;
      }
    });
  }

  lost(name: string): void {
    const socket = this.#sockets.get(name);
    if (socket === undefined) return;
    socket.isLost = true;
    if (socket.phase !== "live") socket.phase = "over";
  }

  full(name: string): void {
    const socket = this.#sockets.get(name);
    if (socket !== undefined) socket.fullMillis = this.#time.monotonicMillis();
  }

  drains(): void {
    this.#isDraining = true;
  }

  // ── What the bridge hands to the store, and hears from it ─────────────────────────────────────────────

  taken(payload: string): void {
    const upload = this.#findUpload(payload);
    if (upload !== undefined) upload.isTaken = true;
  }

  durable(payload: string): void {
    const upload = this.#findUpload(payload);
    if (upload !== undefined) upload.isDurable = true;
  }

  storeRefused(payload: string): void {
    const socket = this.#uploads.get(payload);
    if (socket === undefined) return;
    socket.storeRefusedMillis = Math.min(socket.storeRefusedMillis, this.#time.monotonicMillis());
  }

  commandKept(device: string, payload: string): void {
    const command = findCommand(this.#device(device), payload);
    if (command === undefined) return;
    this.#orders += 1;
    command.order = this.#orders;
    // It may have been meant for a Session that was over before the store took it: then nothing is owed.
    if (command.session === undefined) command.session = command.device.session;
    else if (command.session.isOver) command.session = undefined;
    if (command.device.live !== undefined) command.mayHaveBeenSent = true;
  }

  // ── What the bridge says ──────────────────────────────────────────────────────────────────────────────

  commandSent(device: string, payload: string): void {
    const note = this.#device(device);
    const { session } = note;
    note.commands.push({
      wasSubscribed: session?.commands !== undefined,
      ...{ payload, device: note, sentMillis: this.#time.monotonicMillis(), session, order: 0 },
      ...{
        outcome: undefined,
        writtenOn: [],
        mayHaveBeenSent: note.live !== undefined,
        isAcknowledged: false,
      },
    });
  }

  commandAnswered(device: string, payload: string, outcome: string): void {
    const command = findCommand(this.#device(device), payload);
    if (command !== undefined) checkOutcome(command, outcome, this.#time.monotonicMillis());
  }

  connected(name: string, { resumed }: { readonly resumed: boolean }): void {
    const socket = this.#socket(name);
    const { asked, device } = socket;
    expect(socket.phase === "asked" && asked !== undefined, `${name} is admitted without a CONNECT`);
    expect(!this.#isDraining, `${name} is admitted while the bridge drains`);
    expect(device.live === undefined, `${name} is admitted, and ${device.live?.name} lives as well`);
    this.#admit(socket, asked);
    const before = this.#livingSession(device);
    const mayResume = this.#house.keepSessions && !asked.clean;
    const must = mayResume && before.certainty === "is";
    const may = mayResume && before.certainty !== "is not";
    // Admitted by an answer that was long on its way, as a device that is no more: it is cut within the second.
    const isStale = socket.generation !== device.registered.generation;
    if (isStale) this.#noteLateness();
    else if (resumed) expect(may, `${name} goes on with a Session that is not there`);
    else expect(!must, `${name} does not go on with its Session`);
    this.#checkHandover(socket, resumed);
    if (device.session !== undefined && !resumed) {
      device.session.isOver = true;
      device.session.isOverByKey = false;
    }
    const expirySeconds = this.#house.keepSessions ? Math.min(asked.expirySeconds, sessionSecondsMax) : 0;
    const session: SessionNote =
      resumed && before.certainty !== "is not"
        ? before.session
        : {
            ...{ device, isKept: expirySeconds > 0, expirySeconds, key: asked.token.key, owner: undefined },
            ...{
              endsSeconds: Number.POSITIVE_INFINITY,
              isOver: false,
              isOverByKey: false,
              isUncertain: false,
              keyLostMillis: Number.NEGATIVE_INFINITY,
              config: undefined,
              commands: undefined,
            },
            ...{ configHad: 0, generation: socket.generation },
          };
    session.expirySeconds = expirySeconds;
    // Past its end, it lives on what was written late.
    const isPast = this.#now > session.endsSeconds;
    if (resumed && (isPast || this.#mayHaveLostKey(session))) session.isUncertain = true;
    session.key = asked.token.key;
    if (isStale || (resumed && session.isOver)) session.isUncertain = true;
    session.isOver = !isKeyGood(session.key, device.registered);
    session.isOverByKey = session.isOver;
    if (session.isOver) session.keyLostMillis = socket.admittedMillis;
    session.owner = socket;
    session.endsSeconds = Number.POSITIVE_INFINITY;
    device.session = session;
    socket.session = session;
    socket.isResumed = resumed;
    device.live = socket;
    socket.phase = "live";
    for (const command of device.commands) if (command.session === session) command.mayHaveBeenSent = true;
    this.#judgeLive(socket);
    for (const arrives of this.#deferred.get(socket) ?? []) arrives();
    this.#deferred.delete(socket);
  }

  refused(name: string, because: string): void {
    const socket = this.#sockets.get(name);
    if (socket === undefined) return;
    const { judgement } = socket;
    if (because === "connect_timeout" || because === "shutting_down" || judgement === undefined) {
      socket.phase = "over";
      return;
    }
    const mayBeRefused = judgement.states.some(
      (state) => findDeadline(judgement.token, state, this.#now, this.#house) === undefined,
    );
    expect(mayBeRefused, `${name} is refused (${because}), and its token is good`);
    socket.phase = "over";
  }

  disconnected(name: string, because: string): void {
    const socket = this.#socket(name);
    const { device, session } = socket;
    expect(socket.phase === "live", `${name} ends by ${because} in phase ${socket.phase}`);
    const asked = socket.authentication;
    const mayBeRefused = asked?.states.some(
      (state) => findDeadline(asked.token, state, this.#now, this.#house) === undefined,
    );
    // Its token was good when it was sent: the registry, or time, has moved on.
    if (mayBeRefused === true) socket.faults.add("reauthentication_refused");
    checkEnd(socket, because, {
      house: this.#house,
      nowMillis: this.#time.monotonicMillis(),
      nowSeconds: this.#now,
      isDraining: this.#isDraining,
      recent: [...(this.#history.get(device) ?? []).map(({ state }) => state), device.registered],
    });
    this.#checkNotOverdue(socket, this.#time.monotonicMillis());
    socket.phase = because === "handed_over" ? "relieved" : "over";
    socket.cutByMillis = Number.POSITIVE_INFINITY;
    device.live = undefined;
    this.#replaced = takeoverCauses.has(because) ? { socket, because } : undefined;
    if (session === undefined) return;
    session.owner = undefined;
    session.endsSeconds = this.#now + session.expirySeconds;
    if (!session.isKept) session.isOver = true;
  }
  #replaced: { readonly socket: SocketNote; readonly because: string } | undefined;

  renewed(name: string): void {
    const socket = this.#socket(name);
    const { authentication: asked } = socket;
    expect(asked !== undefined, `${socket.name} is renewed and did not ask`);
    socket.authAnswers += 1;
    const { token } = asked;
    const isBack = token.iat < (socket.token?.iat ?? 0) - this.#house.skewSeconds;
    expect(!isBack, `${socket.name} goes back to an older token`);
    const deadlines = asked.states.flatMap(
      (state) => findDeadline(token, state, this.#now, this.#house) ?? [],
    );
    expect(deadlines.length > 0, `${socket.name} is renewed, and its token is not good`);
    // A token that was accepted before gives no more than it gave: the end may only have come nearer.
    if (!asked.isSame) {
      socket.rightEnds = [Math.min(...deadlines), Math.max(...deadlines)];
      socket.tokenEndsSeconds = socket.rightEnds[1];
    }
    socket.token = token;
    socket.authentication = undefined;
    socket.faults.delete("reauthentication_refused");
    if (socket.session !== undefined) {
      if (this.#mayHaveLostKey(socket.session)) socket.session.isUncertain = true;
      socket.session.key = token.key;
      socket.session.isOver = !isKeyGood(token.key, socket.device.registered);
    }
    this.#judgeLive(socket);
  }

  wrote(name: string, packet: Packet): void {
    const socket = this.#socket(name);
    const what = `${packet.cmd.toUpperCase()} on ${name}`;
    expect(!socket.isClosed && !socket.isLost, `${what}, which is closed`);
    expect(socket.phase !== "relieved", `${what}, which was relieved`);
    expect(socket.phase !== "over", `${what}, which is over`);
    expect(socket.byeCode === undefined, `${what} after DISCONNECT [MQTT-3.14.4-2]`);
    if (packet.cmd === "connack") {
      this.#checkConnack(socket, packet);
      return;
    }
    expect(socket.isConnacked, `${what} before CONNACK [MQTT-3.2.0-1]`);
    switch (packet.cmd) {
      case "publish":
        expect(
          socket.phase === "live" &&
            this.#time.monotonicMillis() <= Math.max(socket.cutByMillis, this.#lateSinceMillis + cutMillis),
          `${what}, whose right is gone`,
        );
        checkPublish(socket, {
          topic: packet.topic,
          payload: packet.payload.toString(),
          qos: packet.qos,
          dup: packet.dup,
          packetIdentifier: packet.messageId,
        });
        return;
      case "puback":
        this.#checkPuback(socket, packet.messageId);
        return;
      case "suback": {
        const due = socket.subscribes.shift();
        expect(due?.packetIdentifier === packet.messageId, `${what} that answers nothing`);
        const granted = packet.granted.join();
        // What cannot be kept, its right being gone, is not granted.
        const { session } = socket;
        const isLost =
          session !== undefined &&
          (session.isUncertain || this.#mayHaveLostKey(session)) &&
          /^128(,128)*$/.test(granted);
        expect(
          isLost || granted === due?.granted.join(),
          `${what} grants ${granted}, should grant ${due?.granted}`,
        );
        return;
      }
      case "unsuback":
        expect(socket.unsubscribes.shift() === packet.messageId, `${what} that answers nothing`);
        return;
      case "pingresp":
        socket.pings -= 1;
        expect(socket.pings >= 0, `${what} that answers nothing`);
        return;
      case "auth":
        this.#checkAuth(socket, packet.reasonCode);
        return;
      case "disconnect":
        expect(socket.version === 5, `${what}, which speaks 3.1.1`);
        socket.byeCode = packet.reasonCode ?? 0;
        return;
      default:
        expect(false, `${what}, which no server sends`);
    }
  }

  closedByBridge(name: string): void {
    this.#socket(name).isClosed = true;
  }

  // ── When a turn is over ───────────────────────────────────────────────────────────────────────────────

  /** Nothing that could be done at once is left to do. */
  turnOver(around: Surroundings): void {
    const nowMillis = this.#time.monotonicMillis();
    this.#noteLateness();
    for (const socket of this.#sockets.values()) {
      if (socket.phase === "over") {
        expect(socket.isClosed || socket.isLost, `${socket.name} is over and still open`);
        this.#sockets.delete(socket.name);
      } else if (socket.phase === "live") this.#checkLive(socket, around, nowMillis);
      else this.#checkWaiting(socket, nowMillis);
    }
  }

  /** All was said and done. */
  checkAllAnswered(): void {
    for (const { commands } of this.#devices.values()) {
      for (const { payload, outcome } of commands) {
        expect(outcome !== undefined, `command "${payload}" was never answered`);
      }
    }
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  get #now(): number {
    return this.#time.wallSeconds();
  }

  #device(name: string): DeviceNote {
    const device = this.#devices.get(name);
    if (device === undefined) throw new RangeError(`no device ${name}`);
    return device;
  }

  #socket(name: string): SocketNote {
    const socket = this.#sockets.get(name);
    expect(socket !== undefined, `something happens on ${name}, which was over long ago`);
    return socket;
  }

  #judgementOf(device: DeviceNote, token: TokenFacts) {
    return { token, askedMillis: this.#time.monotonicMillis(), states: [device.registered] };
  }

  /** What arrives counts when the connection is live; while its CONNECT is judged it waits. */
  #arrives(name: string, counts: (socket: SocketNote) => void): void {
    const socket = this.#sockets.get(name);
    if (socket === undefined) return;
    socket.lastArrivalMillis = this.#time.monotonicMillis();
    const count = () => {
      // Behind a goodbye, or what ends the connection, nothing counts.
      if (!socket.saidGoodbye && endingFaults(socket).length === 0) counts(socket);
    };
    if (socket.phase === "live") count();
    if (socket.phase !== "asked") return;
    const waiting = this.#deferred.get(socket) ?? [];
    waiting.push(count);
    this.#deferred.set(socket, waiting);
  }

  #findUpload(payload: string) {
    return this.#uploads.get(payload)?.uploads.find((upload) => upload.payload === payload);
  }

  #admit(socket: SocketNote, asked: Asked): void {
    const states = socket.judgement?.states ?? [];
    const deadlines = states.flatMap(
      (state) => findDeadline(asked.token, state, this.#now, this.#house) ?? [],
    );
    expect(deadlines.length > 0, `${socket.name} is admitted, and its token is not good`);
    socket.rightEnds = [Math.min(...deadlines), Math.max(...deadlines)];
    socket.tokenEndsSeconds = socket.rightEnds[1];
    socket.token = asked.token;
    socket.admittedMillis = this.#time.monotonicMillis();
    const good = states.filter(
      (state) => findDeadline(asked.token, state, this.#now, this.#house) !== undefined,
    );
    socket.generation = good.at(-1)?.generation ?? 0;
    socket.judgement = undefined;
  }

  /** Was there a while in which the store would not keep a Session under its key? */
  #mayHaveLostKey({ device, key, generation }: SessionNote): boolean {
    const states = [...(this.#history.get(device) ?? []).map(({ state }) => state), device.registered];
    return states.some((state) => {
      const ends = state.keys[key]?.endsSeconds ?? Number.POSITIVE_INFINITY;
      return state.generation !== generation || !isKeyGood(key, state) || this.#now >= ends;
    });
  }

  #noteLateness(): void {
    if (this.#isStoreLate()) this.#lateSinceMillis = this.#time.monotonicMillis();
  }

  /** The registry may have taken its right, or moved the end of it nearer. */
  #judgeLive(socket: SocketNote): void {
    const { device, token } = socket;
    if (token === undefined) return;
    const deadline =
      device.registered.generation === socket.generation
        ? findDeadline(token, device.registered, this.#now, this.#house)
        : undefined;
    if (deadline === undefined) {
      socket.cutByMillis = Math.min(socket.cutByMillis, this.#time.monotonicMillis() + cutMillis);
      return;
    }
    socket.cutByMillis = Number.POSITIVE_INFINITY;
    const [earliest, latest] = socket.rightEnds;
    socket.rightEnds = [Math.min(earliest, deadline), Math.max(Math.min(latest, deadline), deadline)];
  }

  #livingSession(
    device: DeviceNote,
  ):
    | { readonly certainty: "is" | "may be"; readonly session: SessionNote }
    | { readonly certainty: "is not" } {
    const { session } = device;
    if (session === undefined || !session.isKept) return { certainty: "is not" };
    // Its connection may not know yet, and is taken over: design §9 gives it a second.
    const knownMillis = Math.max(session.keyLostMillis, this.#lateSinceMillis) + cutMillis;
    const isUnknown =
      session.keyLostMillis !== Number.NEGATIVE_INFINITY &&
      this.#replaced?.socket.session === session &&
      this.#time.monotonicMillis() <= knownMillis;
    // Which key it belonged to when its key went may be news that waited to be stored.
    if (session.isOverByKey && this.#isStoreSlow) return { certainty: "may be", session };
    if (session.isOver) return isUnknown ? { certainty: "may be", session } : { certainty: "is not" };
    // Taken over in this very moment, or gone for less than its time.
    const states = [...(this.#history.get(device) ?? []).map(({ state }) => state), device.registered];
    const keyEnds = states.map(({ keys }) => keys[session.key]?.endsSeconds ?? Number.POSITIVE_INFINITY);
    // A key whose date has passed: what was saved under it stays, what is to be saved is not.
    if (this.#now >= Math.min(...keyEnds)) return { certainty: "may be", session };
    if (this.#now < session.endsSeconds) return { certainty: "is", session };
    const isNow = this.#replaced?.socket.session === session;
    return isNow || this.#mayWritesBeLate ? { certainty: "may be", session } : { certainty: "is not" };
  }

  /** Make before break where design §5 says so, and nowhere else. */
  #checkHandover(socket: SocketNote, resumed: boolean): void {
    const replaced = this.#replaced;
    this.#replaced = undefined;
    if (replaced === undefined) return;
    const { asked: before, token } = replaced.socket;
    const isDue =
      resumed &&
      socket.asked?.asksHandover === true &&
      socket.version === 4 &&
      before?.version === 4 &&
      !before.clean &&
      token?.key === socket.asked.token.key;
    expect(
      isDue === (replaced.because === "handed_over"),
      `${replaced.socket.name} made way for ${socket.name} by ${replaced.because}`,
    );
  }

  #checkConnack(socket: SocketNote, packet: Extract<Packet, { cmd: "connack" }>): void {
    expect(!socket.isConnacked, `a second CONNACK on ${socket.name}`);
    const code = (socket.version === 5 ? packet.reasonCode : packet.returnCode) ?? 0;
    if (code === 0) {
      expect(socket.phase === "live", `${socket.name} is told that it is admitted, and is not`);
      expect(
        packet.sessionPresent === socket.isResumed,
        `Session Present ${packet.sessionPresent} on ${socket.name}`,
      );
      const method = packet.properties?.authenticationMethod;
      expect(
        method === (socket.asked?.byMethod === true ? "mayfly-jwt" : undefined),
        `CONNACK on ${socket.name} names the method ${method} [MQTT-4.12.0-5]`,
      );
      socket.isConnacked = true;
      return;
    }
    expect(socket.phase === "asked" || socket.phase === "open", `CONNACK ${code} on a live ${socket.name}`);
    expect(!packet.sessionPresent, `Session Present in a refusal on ${socket.name} [MQTT-3.2.2-6]`);
  }

  #checkPuback(socket: SocketNote, packetIdentifier: number | undefined): void {
    const what = `PUBACK ${packetIdentifier} on ${socket.name}`;
    expect(socket.phase === "live", `${what}, which does not live`);
    const first = socket.uploads.shift();
    expect(first !== undefined, `${what} acknowledges nothing`);
    expect(first.packetIdentifier === packetIdentifier, `${what}, before that of ${first.packetIdentifier}`);
    expect(first.isDurable, `${what}, and "${first.payload}" is not durable`);
    this.#uploads.delete(first.payload);
  }

  #checkAuth(socket: SocketNote, reasonCode: number): void {
    expect(reasonCode === 0, `AUTH ${reasonCode} on ${socket.name}`);
    socket.authAnswers -= 1;
    expect(socket.authAnswers >= 0, `AUTH on ${socket.name}, which did not ask`);
  }

  #checkNotOverdue(socket: SocketNote, nowMillis: number): void {
    const { name } = socket;
    this.#noteLateness();
    const isLate = nowMillis <= this.#lateSinceMillis + cutMillis;
    if (!isLate) expect(nowMillis <= socket.cutByMillis, `${name} lives a second after its right was gone`);
    const isOnTime = (endsSeconds: number) => this.#now < endsSeconds + cutMillis / 1000;
    expect(isOnTime(socket.tokenEndsSeconds), `${name} lives a second after its token`);
    if (!isLate) expect(isOnTime(socket.rightEnds[1]), `${name} lives a second after its deadline`);
    const connectionEnds = socket.admittedMillis + this.#house.connectionMaxSeconds * 1000;
    expect(nowMillis < connectionEnds + cutMillis, `${name} lives a second after its connection's maximum`);
  }

  #checkLive(socket: SocketNote, around: Surroundings, nowMillis: number): void {
    const { name } = socket;
    expect(socket.isConnacked, `${name} is admitted and has no CONNACK`);
    expect(socket.authAnswers === 0, `${name} is renewed and has no AUTH`);
    expect(!socket.isClosed, `${name} lives and is closed`);
    this.#checkNotOverdue(socket, nowMillis);
    if (!around.isPaused(name)) {
      const silenceEnds = silenceEndsMillis(socket, this.#house);
      expect(nowMillis < silenceEnds + cutMillis, `${name} lives a second after it was silent too long`);
    }
    const [fault] = endingFaults(socket);
    expect(fault === undefined, `${name} lives after ${fault}`);
    if (this.#isDraining || nowMillis >= socket.storeRefusedMillis) return;
    const [first] = socket.uploads;
    expect(first?.isDurable !== true, `"${first?.payload}" on ${name} is durable and not acknowledged`);
    for (const { payload, isTaken } of socket.uploads.slice(0, receiveMaximum)) {
      expect(isTaken, `"${payload}" on ${name} is not handed to the store`);
    }
    if (this.#isStoreLate()) return;
    expect(socket.subscribes.length + socket.unsubscribes.length === 0, `${name} waits for a SUBACK`);
    expect(socket.authentication === undefined, `${name} waits for the answer to its AUTH`);
    expect(socket.pings === 0, `${name} waits for a PINGRESP`);
    checkNothingOwed(socket, nowMillis, around.bufferedBytes(name));
  }

  #checkWaiting(socket: SocketNote, nowMillis: number): void {
    const { name } = socket;
    if (socket.phase === "relieved") {
      expect(!socket.saidGoodbye || socket.isClosed, `${name} was relieved, said goodbye and is open`);
      if (socket.isClosed) socket.phase = "over";
      return;
    }
    const delay = socket.phase === "asked" ? takeoverDelayMillis + connectMillis : 0;
    const endsMillis = socket.openedMillis + connectMillis + delay;
    expect(nowMillis <= endsMillis, `${name} was not admitted and stays`);
  }
}

/** What ends a connection at once; an AUTH that may be refused may wait for its answer. */
function endingFaults(socket: SocketNote): readonly string[] {
  return [...socket.faults].filter((fault) => fault !== "reauthentication_refused");
}

function kindOf(topic: string, device: string): "config" | "commands" | undefined {
  if (topic === `/devices/${device}/config`) return "config";
  return topic === `/devices/${device}/commands/#` ? "commands" : undefined;
}
