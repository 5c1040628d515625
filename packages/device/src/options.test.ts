import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentOptionError, settleOptions } from "./options.ts";

const name = { project: "p", location: "l", registry: "reg", device: "lamp" };

test("without settings a token lives an hour and MQTT 5 is spoken", () => {
  const settings = settleOptions(name);

  assert.equal(settings.lifetimeSeconds, 3600);
  assert.equal(settings.protocolVersion, 5);
  assert.equal(settings.clientIdentifier, "projects/p/locations/l/registries/reg/devices/lamp");
});

test("a lifetime below an hour is refused unless the floor is lowered", () => {
  assert.throws(() => settleOptions({ ...name, lifetimeSeconds: 60 }), AgentOptionError);

  const settings = settleOptions({ ...name, lifetimeSeconds: 60, lifetimeFloorSeconds: 60 });

  assert.equal(settings.lifetimeSeconds, 60);
});

test("a lifetime above a day is refused", () => {
  assert.throws(() => settleOptions({ ...name, lifetimeSeconds: 86_401 }), AgentOptionError);
});

test("a malformed device id is refused before anything runs", () => {
  assert.throws(() => settleOptions({ ...name, device: "a/b" }), { name: "IdError" });
});

test("a device id that no topic can name is refused before anything runs", () => {
  assert.throws(() => settleOptions({ ...name, device: "lamp+1" }), AgentOptionError);
});

test("a Session may outlive its connection in either version", () => {
  for (const protocolVersion of [4, 5] as const) {
    const kept = settleOptions({ ...name, protocolVersion, cleanSession: false });

    assert.equal(kept.cleanSession, false);
  }
});

test("what is announced to a bridge, and the pace, are taken within their bounds alone", () => {
  const small = settleOptions({ ...name, wire: { maximumPacketSize: 512, receiveMaximum: 1 } });

  assert.deepEqual([small.wire.maximumPacketSize, small.wire.receiveMaximum], [512, 1]);
  assert.deepEqual([small.wire.topicAliasMaximum, small.wire.messagesPerSecond], [0, 100]);
  for (const wire of [
    { maximumPacketSize: 511 },
    { maximumPacketSize: 1024 * 1024 + 1 },
    { receiveMaximum: 0 },
    { receiveMaximum: 21 },
    { inFlightMaximum: 0 },
    { inFlightMaximum: 21 },
    { topicAliasMaximum: 17 },
    { sessionExpirySeconds: 0 },
    { messagesPerSecond: 0 },
    { bytesPerSecond: 1_023 },
  ]) {
    assert.throws(() => settleOptions({ ...name, wire }), AgentOptionError, JSON.stringify(wire));
  }
});
