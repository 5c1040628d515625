import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { MqttError, reasonCodeOfError } from "./error.ts";
import { findReasonCodeName, mayCarryReasonCode, reasonCode, reasonCodesOf } from "./reason-code.ts";

/** mqtt-packet's own tables; it does not export them by its door. */
const oracle = createRequire(import.meta.url)("mqtt-packet/constants.js") as Record<
  string,
  Record<string, string>
>;

function codesOf(table: string): number[] {
  return Object.keys(oracle[table] ?? {})
    .map(Number)
    .sort((a, b) => a - b);
}

test("the codes of each packet are those of mqtt-packet's tables", () => {
  assert.deepEqual([...reasonCodesOf.puback], codesOf("MQTT5_PUBACK_PUBREC_CODES"));
  assert.deepEqual([...reasonCodesOf.pubrel], codesOf("MQTT5_PUBREL_PUBCOMP_CODES"));
  assert.deepEqual([...reasonCodesOf.suback], codesOf("MQTT5_SUBACK_CODES"));
  assert.deepEqual([...reasonCodesOf.unsuback], codesOf("MQTT5_UNSUBACK_CODES"));
  const disconnect = new Set<number>([
    ...reasonCodesOf.disconnectFromClient,
    ...reasonCodesOf.disconnectFromServer,
  ]);
  assert.deepEqual(
    [...disconnect].sort((a, b) => a - b),
    codesOf("MQTT5_DISCONNECT_CODES"),
  );
  const auth = new Set<number>([...reasonCodesOf.authFromServer, ...reasonCodesOf.authFromClient]);
  assert.deepEqual(
    [...auth].sort((a, b) => a - b),
    codesOf("MQTT5_AUTH_CODES"),
  );
});

test("every code a packet may carry has a name, and no code besides", () => {
  const carried = new Set<number>();
  for (const [carrier, codes] of Object.entries(reasonCodesOf)) {
    if (!carrier.endsWith("311")) for (const code of codes) carried.add(code);
  }

  const named = new Set<number>(Object.values(reasonCode));

  assert.deepEqual([...carried].sort(), [...named].sort());
});

test("a name is found for a code and none for one the standard does not know", () => {
  assert.equal(findReasonCodeName(0x87), "notAuthorized");
  assert.equal(findReasonCodeName(0xff), undefined);
});

test("each side has its own DISCONNECT: only a client asks for its Will, only a server shuts down", () => {
  assert.equal(mayCarryReasonCode("disconnectFromClient", 0x04), true);
  assert.equal(mayCarryReasonCode("disconnectFromServer", 0x04), false);
  assert.equal(mayCarryReasonCode("disconnectFromClient", 0x8b), false);
  assert.equal(mayCarryReasonCode("disconnectFromServer", 0x8b), true);
});

test("a server may answer any refused bytes with a DISCONNECT or, before it, a CONNACK", () => {
  for (const [code, reason] of Object.entries(reasonCodeOfError)) {
    const error = new MqttError(code as keyof typeof reasonCodeOfError, "");

    assert.equal(error.reasonCode, reason);
    assert.ok(mayCarryReasonCode("disconnectFromServer", reason) || mayCarryReasonCode("connack", reason));
  }
});
