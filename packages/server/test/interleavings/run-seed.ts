/**
 * One seed, one story: plays until the steps are done, then lets everything come to rest and sees what is left.
 */

import { fernPath } from "../bridge-world.ts";
import { Arena, type Device } from "./arena.ts";
import { Choice } from "./choice.ts";
import { paperToken } from "./paper-tokens.ts";
import { anyPlay, connect, sendPuback } from "./plays.ts";

export interface StoryEnd {
  readonly steps: number;
  /** What went wrong, with the last steps before it. */
  readonly failure?: { readonly error: unknown; readonly story: readonly string[]; readonly step: number };
}

/** Plays on one seed; at most so many are needed to see most of what there is to see. */
export const stepsPerSeed = 100;
const settleTurns = 12;

const slownesses = [
  { readPercent: 0, writePercent: 0 },
  { readPercent: 0, writePercent: 60 },
  { readPercent: 60, writePercent: 0 },
  { readPercent: 40, writePercent: 40 },
] as const;

/** @param stepsMax plays; fewer to find out which was the last that is needed. */
export async function runSeed(seed: number, stepsMax = stepsPerSeed): Promise<StoryEnd> {
  const choice = new Choice(seed);
  const house = {
    skewSeconds: choice.of([0, 90]),
    graceSeconds: choice.of([0, 0, 60]),
    keepSessions: !choice.percent(10),
    connectionMaxSeconds: choice.of([60, 86_400, 86_400]),
    idleMaxSeconds: choice.of([60, 1200, 1200]),
  };
  const arena = new Arena(choice, house, choice.of(slownesses));
  let step = 0;
  try {
    await arena.begin(1 + choice.below(3));
    for (; step < stepsMax; step++) {
      await anyPlay(arena)(arena);
      if (choice.percent(65)) await arena.settle(0);
      if (arena.breach !== undefined) throw arena.breach;
    }
    await comeToRest(arena);
    return { steps: step };
  } catch (error) {
    return { steps: step, failure: { error, story: arena.story, step } };
  }
}

/** Every answer comes, each device comes back and acknowledges all it gets, then everybody goes. */
async function comeToRest(arena: Arena): Promise<void> {
  arena.tell("everything comes to rest");
  await settleAll(arena);
  if (!arena.isDraining) {
    for (const device of arena.devices) await comeBack(arena, device);
  }
  for (const device of arena.devices) for (const peer of [...device.sockets]) arena.lose(peer);
  await settleAll(arena);
  await arena.settle(60_000);
  arena.oracle.checkAllAnswered();
  arena.checkNothingLeft();
  arena.bridge.close();
}

async function settleAll(arena: Arena): Promise<void> {
  for (let turn = 0; turn < settleTurns; turn++) {
    arena.late.hurry();
    while (arena.appended.length > 0) arena.answer(0, "durable");
    await arena.settle(0);
  }
}

async function comeBack(arena: Arena, device: Device): Promise<void> {
  const key = Object.entries(device.registered.keys).find(([, { state }]) => state === "active")?.[0];
  if (key === undefined || !device.registered.exists) return;
  const iat = Math.floor(arena.time.wallSeconds());
  const sub = fernPath.replace(/fern$/, device.name);
  const token = paperToken({ key, iat, exp: iat + 3600, sub, flaw: "none" });
  const peer = arena.open(device, 4);
  connect(arena, peer, "kept4", token, true);
  await arena.settle(0);
  // A device that was fought over waits for its turn.
  await arena.settle(6_000);
  for (let turn = 0; turn < 200 && peer.socket.isOpen; turn++) {
    const [messageId] = peer.socket.received.splice(0, 1);
    if (messageId === undefined) break;
    sendPuback(arena, peer, messageId);
    await arena.settle(0);
  }
  await settleAll(arena);
}
