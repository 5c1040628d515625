/**
 * Re-authentication (MQTT 5.0 §4.12.1) seen from outside: clients that share no code with the bridge renew their
 * sessions by AUTH, and another program reads the wire.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BridgeProcess } from "./bridge-process.ts";
import { Mqtt5Client, method, userProperty } from "./mqtt5-client.ts";

const bridge = new BridgeProcess();

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
});
after(() => bridge.end());

test("a session renewed twice by AUTH outlives two tokens, and ends with the third", async (t) => {
  const keyFile = await bridge.createDevice("renewing");
  const client = new Mqtt5Client(t, bridge, "renewing");
  const first = await client.mint(keyFile, { exp: 3 });
  const payloads: string[] = [];
  const publishUntil = async (seconds: number) => {
    while (Date.now() < seconds * 1000) {
      const payload = `message ${payloads.length}`;
      const { packet, reasonCode } = await client.publish(payload);
      assert.deepEqual([packet, reasonCode], ["PUBACK", 0]);
      payloads.push(payload);
    }
  };

  const connack = await client.connect({ method, data: first.token });
  const second = await client.mint(keyFile, { exp: 7 });
  const answer = await client.auth({ data: second.token });
  const verifiedSeconds = answer.at;
  await publishUntil(Math.max(first.exp + 1, verifiedSeconds + 5.1));
  const third = await client.mint(keyFile, { exp: 3 });
  const nextAnswer = await client.auth({ data: third.token });
  await publishUntil(Math.max(second.exp + 0.5, third.exp - 1));
  const disconnect = await client.next();
  const end = await client.next();

  t.diagnostic(`cut ${Math.round((disconnect.at - third.exp) * 1000)} ms after exp`);
  for (const [told, { exp }] of [
    [connack, first],
    [answer, second],
    [nextAnswer, third],
  ] as const) {
    assert.equal(told.reasonCode, 0);
    assert.equal(told.properties?.["Authentication Method"], method);
    assert.ok(Math.abs(Number(userProperty(told, "server-time")) - told.at) <= 1);
    assert.equal(userProperty(told, "exp"), String(exp));
    assert.ok(Number(userProperty(told, "renew-from")) <= Number(userProperty(told, "renew-until")));
    assert.ok(Number(userProperty(told, "renew-until")) < exp);
  }
  assert.deepEqual([connack.packet, answer.packet, nextAnswer.packet], ["CONNACK", "AUTH", "AUTH"]);
  assert.deepEqual([disconnect.packet, disconnect.reasonCode], ["DISCONNECT", 0x87]);
  assert.equal(disconnect.properties?.["Reason String"], "token_expired");
  assert.ok(Math.abs(disconnect.at - third.exp) <= 1, `cut ${disconnect.at - third.exp} s after exp`);
  assert.equal(end.packet, "closed");
  assert.deepEqual(
    (await bridge.pull()).map(({ text }) => text),
    payloads,
  );
});
