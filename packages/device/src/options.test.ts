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

test("a Session that outlives its connection is for MQTT 3.1.1 alone", () => {
  const kept = settleOptions({ ...name, protocolVersion: 4, cleanSession: false });

  assert.equal(kept.cleanSession, false);
  assert.throws(() => settleOptions({ ...name, cleanSession: false }), AgentOptionError);
});
