/**
 * Turns: what the bridge asks about one device's Session fits together, though a store needs time.
 *
 * A store's reader does not see what its writer has not committed, and its answer may be on its way while more is
 * written. Then a device that comes back at once would find its Session without the command that was queued last,
 * or not at all. So a look-up waits for the writes of its device that are under way, and is done again when its
 * Session changed meanwhile; a command waits for the look-up. Nobody waits where nothing is under way.
 *
 * As bounded as what is under way: a device's entry goes with its last question.
 */
import type { DeviceRef } from "../registry/model.ts";
import type { KeptSession, SessionStore } from "../registry/session-store.ts";
import type { LookUp } from "../registry/store.ts";

interface Turn {
  writesUnderWay: number;
  /** Grows with each write that is more than a command. */
  changes: number;
  isLookingUp: boolean;
  readonly lookUps: ((session: LookUp<KeptSession>) => void)[];
  readonly commands: (() => void)[];
}

/**
 * @param isConnected whether the device's Session has its connection now, so that a command is sent at once: asked
 *   when it is queued, not when it was given.
 * @returns the same store, asked in turns.
 */
export function inTurns(store: SessionStore, isConnected: (device: DeviceRef) => boolean): SessionStore {
  const turns = new Map<string, Turn>();

  function turnOf(device: DeviceRef): Turn {
    const key = keyOf(device);
    const turn = turns.get(key) ?? {
      ...{ writesUnderWay: 0, changes: 0, isLookingUp: false, lookUps: [], commands: [] },
    };
    turns.set(key, turn);
    return turn;
  }

  function proceed(device: DeviceRef, turn: Turn): void {
    if (turn.isLookingUp || turn.writesUnderWay > 0) return;
    if (turn.lookUps.length > 0) {
      lookUp(device, turn);
      return;
    }
    for (const begin of turn.commands.splice(0)) begin();
    if (turn.writesUnderWay === 0) turns.delete(keyOf(device));
  }

  function lookUp(device: DeviceRef, turn: Turn): void {
    const { changes } = turn;
    turn.isLookingUp = true;
    store.lookUpSession(device, (session) => {
      turn.isLookingUp = false;
      if (changes === turn.changes) turn.lookUps.shift()?.(session);
      proceed(device, turn);
    });
  }

  function write<T>(device: DeviceRef, turn: Turn, begin: () => Promise<T>): Promise<T> {
    turn.writesUnderWay += 1;
    const written = begin();
    const done = () => {
      turn.writesUnderWay -= 1;
      proceed(device, turn);
    };
    written.then(done, done);
    return written;
  }

  /** As a command, with as many steps to its answer: lest one overtake the other on them. */
  function change(device: DeviceRef, begin: () => Promise<void>): Promise<void> {
    const turn = turnOf(device);
    turn.changes += 1;
    return new Promise((resolve, reject) => void write(device, turn, begin).then(resolve, reject));
  }

  return {
    lookUpSession(device, answer) {
      const turn = turnOf(device);
      turn.lookUps.push(answer);
      proceed(device, turn);
    },
    saveSession: (device, session) => change(device, () => store.saveSession(device, session)),
    leaveSession: (device, owner, expirySeconds) =>
      change(device, () => store.leaveSession(device, owner, expirySeconds)),
    endSession: (device, owner) => change(device, () => store.endSession(device, owner)),
    removeCommand: (device, packetIdentifier) =>
      write(device, turnOf(device), () => store.removeCommand(device, packetIdentifier)),
    queueCommand(device, command) {
      const turn = turnOf(device);
      return new Promise((resolve, reject) => {
        const queue = () => store.queueCommand(device, { ...command, isSentNow: isConnected(device) });
        const begin = () => void write(device, turn, queue).then(resolve, reject);
        if (turn.isLookingUp || turn.lookUps.length > 0) turn.commands.push(begin);
        else begin();
      });
    },
  };
}

function keyOf({ project, location, registry, device }: DeviceRef): string {
  return `${project}/${location}/${registry}/${device}`;
}
