import assert from "node:assert/strict";
import { test } from "node:test";
import { DownlinkAcknowledgements, type DownlinkReceipt } from "./downlink-acknowledgements.ts";

const taken = (receipt: DownlinkReceipt): void => {
  receipt.answer = { reasonCode: 0 };
};
const identifiers = (owed: DownlinkAcknowledgements): readonly number[] =>
  owed.takeReady().map(({ packetIdentifier }) => packetIdentifier);

test("acknowledgements leave in the order of arrival, however their handlers end", () => {
  const owed = new DownlinkAcknowledgements();
  const [first, second] = [owed.owe(1), owed.owe(2)];

  taken(second);
  const early = identifiers(owed);
  taken(first);

  assert.deepEqual(early, []);
  assert.deepEqual(identifiers(owed), [1, 2]);
});

test("what is carried over is acknowledged only when it has come again, once", () => {
  const owed = new DownlinkAcknowledgements();
  taken(owed.owe(5));
  owed.carryOver();

  const unasked = identifiers(owed);
  const isKnown = owed.oweAgain(5);
  const asked = identifiers(owed);

  assert.deepEqual(unasked, []);
  assert.equal(isKnown, true);
  assert.deepEqual(asked, [5]);
  assert.equal(owed.oweAgain(5), false);
});

test("a message whose handler failed is not carried over: it is to come as if new", () => {
  const owed = new DownlinkAcknowledgements();
  owed.owe(4);
  owed.owe(5).answer = { reasonCode: undefined };

  owed.carryOver();

  assert.equal(owed.oweAgain(5), false);
});

test("what the bridge did not send again on one connection is forgotten at the next", () => {
  const owed = new DownlinkAcknowledgements();
  owed.owe(5);
  owed.carryOver();

  owed.carryOver();

  assert.equal(owed.oweAgain(5), false);
});

test("a new Session owes nothing", () => {
  const owed = new DownlinkAcknowledgements();
  taken(owed.owe(5));
  owed.carryOver();
  taken(owed.owe(6));

  owed.clear();

  assert.equal(owed.size, 0);
  assert.equal(owed.oweAgain(5), false);
});
