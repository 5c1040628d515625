import assert from "node:assert/strict";
import { test } from "node:test";
import { registryRef } from "../../test/bridge-world.ts";
import type { KeptSession, SessionStore } from "../registry/session-store.ts";
import { inTurns } from "./session-turns.ts";

const fern = { ...registryRef, device: "fern" };
const moss = { ...registryRef, device: "moss" };
const kept: KeptSession = { keyFingerprint: "k", subscriptions: {}, expirySeconds: 60, commands: [] };
const toSave = { keyFingerprint: "k", subscriptions: {}, expirySeconds: 60, owner: "o", isNew: true };

/** A store that does nothing until told to, and says what was asked of it. */
function storeByHand() {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const later = <T>(what: string, value: T): Promise<T> => {
    asked.push(what);
    return new Promise((resolve) => answers.push(() => resolve(value)));
  };
  const store: SessionStore = {
    lookUpSession(device, answer) {
      asked.push(`look up ${device.device}`);
      answers.push(() => answer(kept));
    },
    saveSession: () => later("save", undefined),
    leaveSession: () => later("leave", undefined),
    endSession: () => later("end", undefined),
    queueCommand: (_, { isSentNow }) =>
      later(`queue, ${isSentNow ? "connected" : "away"}`, { kind: "queued", packetIdentifier: 1 } as const),
    removeCommand: () => later("remove", undefined),
  };
  const answerNext = async () => {
    answers.shift()?.();
    await new Promise(setImmediate);
  };
  return { store, asked, answerNext };
}

test("a look-up waits for the writes of its own device, and for no other's", async () => {
  const { store, asked, answerNext } = storeByHand();
  const turns = inTurns(store, () => false);
  const saved = turns.saveSession(fern, toSave);

  turns.lookUpSession(fern, () => undefined);
  turns.lookUpSession(moss, () => undefined);
  const before = [...asked];
  await answerNext();
  await saved;

  assert.deepEqual(before, ["save", "look up moss"]);
  assert.deepEqual(asked, ["save", "look up moss", "look up fern"]);
});

test("a look-up whose Session changed meanwhile is made again, and answered once", async () => {
  const { store, asked, answerNext } = storeByHand();
  const turns = inTurns(store, () => false);
  let answers = 0;
  turns.lookUpSession(fern, () => {
    answers += 1;
  });
  const ended = turns.endSession(fern);

  await answerNext();
  const afterTheOldAnswer = answers;
  await answerNext();
  await ended;
  await answerNext();

  assert.equal(afterTheOldAnswer, 0);
  assert.deepEqual(asked, ["look up fern", "end", "look up fern"]);
  assert.equal(answers, 1);
});

test("a command waits for the look-up, and asks only then whether its device is connected", async () => {
  const { store, asked, answerNext } = storeByHand();
  let isConnected = false;
  const turns = inTurns(store, () => isConnected);
  turns.lookUpSession(fern, () => {
    isConnected = true;
  });
  const queued = turns.queueCommand(fern, { subfolder: "", payload: new Uint8Array(1), isSentNow: false });
  const before = [...asked];

  await answerNext();
  await answerNext();

  assert.deepEqual(before, ["look up fern"]);
  assert.deepEqual(asked, ["look up fern", "queue, connected"]);
  assert.deepEqual(await queued, { kind: "queued", packetIdentifier: 1 });
});
