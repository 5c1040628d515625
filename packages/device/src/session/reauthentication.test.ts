import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import { Reauthentication, reauthenticationPauseMillis } from "./reauthentication.ts";

const answer = {
  type: "auth",
  reasonCode: 0,
  properties: { authenticationMethod: "mayfly-jwt" },
} as const;

function arrangeOffered(): Reauthentication {
  const reauthentication = new Reauthentication();
  reauthentication.connected(answer.properties, "method", 0);
  return reauthentication;
}

test("AUTH is 0x19 with our method and the token as Authentication Data", () => {
  const auth = arrangeOffered().begin("a.b.c", 6_000, 4_000);

  assert.deepEqual(auth, {
    type: "auth",
    reasonCode: 0x19,
    properties: { authenticationMethod: "mayfly-jwt", authenticationData: utf8Encode("a.b.c") },
  });
});

test("none is sent before the pause is over, and none while one is under way", () => {
  const reauthentication = arrangeOffered();

  const early = reauthentication.mayBegin(reauthenticationPauseMillis - 1);
  const onTime = reauthentication.mayBegin(reauthenticationPauseMillis);
  reauthentication.begin("a.b.c", 10_000, 10_000);

  assert.deepEqual([early, onTime, reauthentication.mayBegin(19_000)], [false, true, false]);
});

test("an answer is accepted, and the pause begins anew", () => {
  const reauthentication = arrangeOffered();
  reauthentication.begin("a.b.c", 10_000, 10_000);

  const verdict = reauthentication.take(answer, 15_000);

  assert.equal(verdict, "accepted");
  assert.equal(reauthentication.mayBegin(15_000 + reauthenticationPauseMillis - 1), false);
  assert.equal(reauthentication.mayBegin(15_000 + reauthenticationPauseMillis), true);
});

test("an AUTH is given up at its instant and not before; then none is offered, and a late answer is passed over", () => {
  const reauthentication = arrangeOffered();
  reauthentication.begin("a.b.c", 10_000, 10_000);

  const [early, onTime] = [reauthentication.giveUpIfDue(19_999), reauthentication.giveUpIfDue(20_000)];

  assert.deepEqual([early, onTime], [false, true]);
  assert.equal(reauthentication.isOffered, false);
  assert.equal(reauthentication.take(answer, 21_000), "late");
  assert.equal(reauthentication.dueMillis, undefined);
});

test("an AUTH nobody asked for, one that continues and one by another method are wrong", () => {
  const asked = arrangeOffered();
  asked.begin("a.b.c", 10_000, 10_000);

  const verdicts = [
    arrangeOffered().take(answer, 0),
    asked.take({ ...answer, reasonCode: 0x18 }, 0),
    asked.take({ ...answer, properties: { authenticationMethod: "SCRAM-SHA-1" } }, 0),
  ];

  assert.deepEqual(verdicts, ["wrong", "wrong", "wrong"]);
});

test("a method we did not ask for breaks the protocol; none at all offers nothing", () => {
  const [byPassword, silent] = [new Reauthentication(), new Reauthentication()];

  const isLegal = byPassword.connected(answer.properties, "password", 0);
  const isSilentLegal = silent.connected({}, "method", 0);

  assert.deepEqual([isLegal, isSilentLegal, silent.isOffered], [false, true, false]);
});
