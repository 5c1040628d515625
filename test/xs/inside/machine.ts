/**
 * Inside the engine: stand-ins for the SDK's modules, played by the host, and the agent put together over them.
 *
 * The host calls with one event; what came of it (bytes written, timers set, signatures asked for) goes back as one
 * answer once no promise job is left. The stand-ins behave as the SDK's sources read: a socket that is not ready or
 * has no room throws, a timer that has run cannot be cleared, ticks are signed and roll over.
 *
 * Written lean, because it shares the heap that is measured: one buffer for answers, arrays of a few entries.
 */
import type { Agent, AgentEvent, AgentOptions, DeviceTime } from "@mayfly/device";
import type { XsSocketCallbacks, XsTcpOptions } from "@mayfly/device/xs";
import type * as Bundle from "./agent-bundle.ts";
import { type Effect, effects, events } from "./protocol.ts";

/** The engine's own collector, of this worker alone. */
declare const gc: () => void;

const answerBytesMax = 16_384;

const answer = new Uint8Array(answerBytesMax);
const answerView = new DataView(answer.buffer);
let answerLength = 0;

const timers: ((() => void) | undefined)[] = [];
const sockets: (Socket | undefined)[] = [];
const resolutions: ((address: string | undefined) => void)[] = [];
/** Who waits for the chip: told the one or the other. */
const answers: ((bytes: Uint8Array) => void)[] = [];
const failures: ((error: Error) => void)[] = [];
let ticks = 0;
let wallAheadSeconds = 0;
/** The agent's own. */
let machineClock: { monotonicMillis(): number } | undefined;
let agent: Agent | undefined;
let tellsEvents = false;
let rejections = 0;

/** Adds an effect to the answer: kind, identifier (16 bits), length (16 bits), bytes. */
function tell(effect: Effect, id: number, bytes: Uint8Array | undefined): void {
  const length = bytes?.length ?? 0;
  if (answerLength + 5 + length > answerBytesMax) throw new RangeError("the answer is full");
  answer[answerLength] = effect;
  answerView.setUint16(answerLength + 1, id);
  answerView.setUint16(answerLength + 3, length);
  if (bytes !== undefined) answer.set(bytes, answerLength + 5);
  answerLength += 5 + length;
}

function keep<T>(places: (T | undefined)[], value: T): number {
  const free = places.indexOf(undefined);
  const id = free < 0 ? places.length : free;
  places[id] = value;
  return id;
}

const number = new Uint8Array(4);
const numberView = new DataView(number.buffer);

const timer = {
  set(callback: () => void, delayMillis: number): number {
    if (!(delayMillis >= 0 && delayMillis < 2 ** 31)) throw new RangeError("invalid interval");
    const id = keep(timers, callback);
    numberView.setUint32(0, delayMillis);
    tell(effects.timerSet, id, number);
    return id;
  },
  clear(id: unknown): void {
    if (typeof id !== "number" || timers[id] === undefined) throw new Error("invalid timer");
    timers[id] = undefined;
    tell(effects.timerCleared, id, undefined);
  },
};

const time = {
  get ticks(): number {
    return ticks;
  },
  delta: (start: number): number => (ticks - start) | 0,
};

class Socket {
  readonly #id: number;
  readonly callbacks: XsSocketCallbacks;
  readable: ArrayBuffer | undefined;
  /** 0 before it is connected. */
  room = -1;

  constructor(options: XsTcpOptions) {
    this.callbacks = options;
    this.#id = keep(sockets, this);
    tell(effects.connect, this.#id, undefined);
  }

  read(): ArrayBuffer | undefined {
    const bytes = this.readable;
    this.readable = undefined;
    return bytes;
  }

  write(bytes: Uint8Array): number {
    if (this.room < 0) throw new Error("not ready");
    if (bytes.length > this.room) throw new Error("would block");
    this.room -= bytes.length;
    tell(effects.written, this.#id, bytes);
    return this.room;
  }

  close(): void {
    sockets[this.#id] = undefined;
    tell(effects.closed, this.#id, undefined);
  }
}

const net = {
  resolve(_name: string, callback: (name: string, address?: string) => void): void {
    const id = resolutions.push((address) => callback("bridge", address)) - 1;
    tell(effects.resolve, id, undefined);
  },
};

/** @param effect What the host is asked for; it answers with bytes, or with none for a failure. */
function ask(effect: Effect, bytes: Uint8Array | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    tell(effect, answers.push(resolve) - 1, bytes);
    failures.push(reject);
  });
}

/** Whoever keeps the time is not part of what is measured here: optional, and of many kinds. */
const deviceTime: DeviceTime = {
  readiness() {
    return {
      kind: "ready",
      now: wallAheadSeconds + (machineClock?.monotonicMillis() ?? 0) / 1000,
      uncertaintySeconds: 0,
    };
  },
  uncertaintySecondsAt: () => 0,
  correct(_hint, settle) {
    timer.set(() => settle("unchanged"), 0);
  },
};

/** The secure element, played by the host. */
const chip = {
  keyId: "slot-0",
  random: () => ask(effects.random, undefined),
  signDigest: (digest: Uint8Array) => ask(effects.sign, digest),
};

function takeEvent(event: AgentEvent): void {
  if (tellsEvents) tell(effects.event, 0, asciiOf(JSON.stringify(event)));
}

/** Puts the agent together as a firmware does. Its start is left to {@link start}. */
export async function make(bundle: typeof Bundle, options: AgentOptions): Promise<void> {
  const clock = bundle.createXsClock(time, timer);
  const sha256 = bundle.createSha256();
  const portTimers = bundle.createXsTimers(timer);
  machineClock = clock;
  const random = await bundle.createXsRandom(chip, sha256);
  agent = bundle.createAgent(
    {
      clock,
      timers: portTimers,
      random,
      sha256,
      signer: chip,
      time: deviceTime,
      connect: bundle.createXsConnect({ net, timer, tcp: Socket }, { host: "bridge", port: 8883 }),
    },
    options,
  );
  agent.onEvent(takeEvent);
}

export function start(): void {
  agent?.start();
}

export function stop(): void {
  agent?.stop();
}

/** @returns Whether it was accepted. */
export function publish(length: number): boolean {
  return agent?.post(new Uint8Array(length)) === "accepted";
}

export function status(): unknown {
  return agent?.status();
}

export function tellEvents(yes: boolean): void {
  tellsEvents = yes;
}

export function setWall(aheadSeconds: number): void {
  wallAheadSeconds = aheadSeconds;
}

export function setTicks(now: number): void {
  ticks = now;
}

/** Where the engine complains of a promise that failed with nobody to hear it; a chip would restart. */
export const console = {
  error(): void {
    rejections += 1;
  },
};

export function unhandledRejections(): number {
  return rejections;
}

/** What has been told since the last answer, for a script that caused something itself. */
export function takeAnswer(): ArrayBuffer {
  const bytes = answer.buffer.slice(0, answerLength);
  answerLength = 0;
  return bytes;
}

/** One event: kind, ticks (32 bits), identifier (16 bits), bytes. */
export function handleCommand(command: ArrayBuffer): { readonly result: ArrayBuffer } {
  const view = new DataView(command);
  ticks = view.getInt32(1);
  const id = view.getUint16(5);
  const bytes = command.byteLength > 7 ? new Uint8Array(command, 7) : undefined;
  handle(view.getUint8(0), id, bytes, command);
  // Read after the promise jobs that this event leads to.
  return {
    get result() {
      return takeAnswer();
    },
  };
}

function handle(event: number, id: number, bytes: Uint8Array | undefined, command: ArrayBuffer): void {
  const socket = sockets[id];
  switch (event) {
    case events.timer: {
      const run = timers[id];
      timers[id] = undefined;
      run?.();
      return;
    }
    case events.resolved:
      resolutions[id]?.("192.0.2.1");
      // Identifiers are given out in order and answered in order.
      if (id === resolutions.length - 1) resolutions.length = 0;
      return;
    case events.writable:
      if (socket === undefined || bytes === undefined) return;
      socket.room = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
      socket.callbacks.onWritable(socket.room);
      return;
    case events.readable:
      if (socket === undefined || bytes === undefined) return;
      socket.readable = command.slice(7);
      socket.callbacks.onReadable(bytes.length);
      return;
    case events.failed:
      socket?.callbacks.onError();
      return;
    case events.collect:
      gc();
      return;
    case events.answered: {
      const answered = answers[id];
      const failed = failures[id];
      if (id === answers.length - 1) {
        answers.length = 0;
        failures.length = 0;
      }
      if (bytes === undefined) failed?.(new Error("the chip did not answer"));
      else answered?.(bytes);
      return;
    }
  }
}

function asciiOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
