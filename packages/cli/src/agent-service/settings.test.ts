import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../failure.ts";
import { findHostAndPort, parseAgentServiceSettings } from "./settings.ts";

const device = "projects/p/locations/l/registries/reg/devices/lamp";
const least = {
  device,
  bridge: { host: "bridge.example", ca: "roots.pem" },
  keys: [{ slot: 0, file: "lamp.key" }],
  stateFolder: "/var/lib/mayfly-agent",
};
const parse = (value: object) => parseAgentServiceSettings(JSON.stringify(value), "/etc/mayfly");

test("the least settings have the documented defaults, and relative files lie beside them", () => {
  assert.deepEqual(parse(least), {
    name: { project: "p", location: "l", registry: "reg", device: "lamp" },
    bridge: {
      host: "bridge.example",
      port: 8_883,
      ca: "/etc/mayfly/roots.pem",
      mqtt: 5,
      keepAliveSeconds: 60,
    },
    keys: [{ kind: "file", slot: 0, file: "/etc/mayfly/lamp.key" }],
    lifetimeSeconds: 3_600,
    lifetimeFloorSeconds: 3_600,
    stateFolder: "/var/lib/mayfly-agent",
    outbox: { messagesMax: 100_000, bytesMax: 16 * 1024 * 1024, whenFull: "refuse", isEnveloped: false },
    time: { kind: "machine" },
    api: { socket: "/etc/mayfly/agent.sock", mode: 0o600 },
    logLevel: "info",
  });
});

test("everything that can be set is read", () => {
  const settings = parse({
    ...least,
    bridge: { ...least.bridge, port: 443, servername: "iot.example", mqtt: 4, keepAliveSeconds: 300 },
    keys: [
      { slot: 0, i2c: "/dev/i2c-1@0x35" },
      { slot: 2, socket: "chip.sock" },
      { slot: 3, socket: "127.0.0.1:7001" },
    ],
    makeKeys: { attestationSlot: 4 },
    tokenLifetime: "24h",
    outbox: { messagesMax: 10, bytesMax: 4_096, whenFull: "drop-oldest", envelope: true },
    time: {
      source: "own",
      ntp: ["a.example", "b.example:1123", "[2001:db8::1]:123", "2001:db8::2"],
      signed: { host: "bridge.example", pins: "pins.json" },
      rtc: { i2c: "/dev/i2c-1" },
      agingDiscipline: true,
      floor: "2026-11-01T00:00:00Z",
    },
    api: { socket: "/run/mayfly-agent/agent.sock", mode: "0660" },
    metrics: { port: 9464 },
    logLevel: "warn",
  });

  assert.equal(settings.lifetimeSeconds, 86_400);
  assert.deepEqual(settings.makeKeys, { attestationSlot: 4 });
  assert.deepEqual(settings.keys, [
    { kind: "chip", slot: 0, bus: "i2c", place: { bus: "/dev/i2c-1", address: 0x35 } },
    { kind: "chip", slot: 2, bus: "socket", place: { bus: "/etc/mayfly/chip.sock", address: 0x60 } },
    { kind: "chip", slot: 3, bus: "socket", place: { bus: "127.0.0.1:7001", address: 0x60 } },
  ]);
  assert.deepEqual(settings.time, {
    kind: "own",
    ntp: [
      { host: "a.example", port: 123 },
      { host: "b.example", port: 1123 },
      { host: "2001:db8::1", port: 123 },
      { host: "2001:db8::2", port: 123 },
    ],
    signed: { host: "bridge.example", port: 8_037, pins: "/etc/mayfly/pins.json" },
    rtc: { bus: "i2c", path: "/dev/i2c-1" },
    disciplinesAging: true,
    floorSeconds: 1_793_491_200,
  });
  assert.deepEqual(settings.outbox, {
    messagesMax: 10,
    bytesMax: 4_096,
    whenFull: "drop-oldest",
    isEnveloped: true,
  });
  assert.equal(settings.api.mode, 0o660);
  assert.deepEqual(settings.metrics, { host: "127.0.0.1", port: 9464 });
});

const refused: readonly (readonly [string, object, RegExp])[] = [
  ["a mistyped field", { ...least, stateFoler: "x" }, /^stateFoler is unknown; known here: device, bridge,/],
  ["a mistyped field within", { ...least, api: { sock: "x" } }, /^api\.sock is unknown/],
  ["no device", { ...least, device: undefined }, /^device is missing/],
  ["no full device name", { ...least, device: "lamp" }, /^device /],
  ["no roots", { ...least, bridge: { host: "h" } }, /^bridge\.ca is missing/],
  ["a port of 0", { ...least, bridge: { ...least.bridge, port: 0 } }, /^bridge\.port must be a whole number/],
  ["MQTT 3", { ...least, bridge: { ...least.bridge, mqtt: 3 } }, /^bridge\.mqtt must be one of 4, 5/],
  ["no key", { ...least, keys: [] }, /^keys must be a list of 1 to 3/],
  ["a key in two places", { ...least, keys: [{ slot: 0, file: "a", i2c: "b" }] }, /^keys\[0\]\.file or i2c/],
  ["a key nowhere", { ...least, keys: [{ slot: 0 }] }, /^keys\[0\]\.file or i2c/],
  [
    "two keys in one slot",
    { ...least, keys: [...least.keys, ...least.keys] },
    /^keys must be in different slots/,
  ],
  ["a slot the chip has not", { ...least, keys: [{ slot: 16, file: "a" }] }, /^keys\[0\]\.slot/],
  ["a lifetime below the floor", { ...least, tokenLifetime: "60s" }, /^tokenLifetime must be 3600 s or more/],
  ["a lifetime in words", { ...least, tokenLifetime: "long" }, /^tokenLifetime It must be a duration/],
  ["own time from nowhere", { ...least, time: {} }, /^time needs ntp, signed or rtc/],
  ["machine time with servers", { ...least, time: { source: "machine", ntp: ["a"] } }, /^time\.source/],
  ["five time servers", { ...least, time: { ntp: ["a", "b", "c", "d", "e"] } }, /^time\.ntp must be a list/],
  ["a time server that is a URL", { ...least, time: { ntp: ["ntp://a/"] } }, /^time\.ntp has "ntp:\/\/a\/"/],
  [
    "a clock chip in two places",
    { ...least, time: { ntp: ["a"], rtc: { i2c: "a", socket: "b" } } },
    /rtc\.i2c/,
  ],
  ["a mode open to all readers", { ...least, api: { mode: "0644" } }, /^api\.mode must be one of/],
  ["a text of 1,025 characters", { ...least, stateFolder: "x".repeat(1_025) }, /^stateFolder must be a text/],
];

for (const [what, value, sentence] of refused) {
  test(`${what} is refused, and the sentence says where it stands`, () => {
    assert.throws(
      () => parse(value),
      (error) => {
        assert.ok(error instanceof CommandFailure);
        assert.equal(error.code, "settings_invalid");
        assert.match(error.message, sentence);
        return true;
      },
    );
  });
}

test("a file that is no JSON is not quoted: a key might have been pasted into it", () => {
  assert.throws(
    () => parseAgentServiceSettings('{"keys": -----BEGIN PRIVATE KEY-----', "/"),
    (error) => error instanceof CommandFailure && error.message === "the file is not JSON",
  );
});

test("a host is read with and without a port, and nothing else is one", () => {
  assert.deepEqual(findHostAndPort("a.example", 123), { host: "a.example", port: 123 });
  for (const text of ["a:0", "a:65536", "a:b", "[::1", "a b", ""]) {
    assert.equal(findHostAndPort(text, 123), undefined, text);
  }
});
