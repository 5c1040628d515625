/** A session's end, watched from outside: an idle, listen-only MQTT.js client is cut on time, and at once when its device or key falls. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import mqtt, { type IDisconnectPacket, type MqttClient } from "mqtt";
import { BridgeProcess, clientIdentifier, location, registry } from "./bridge-process.ts";

const bridge = new BridgeProcess();

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
});
after(() => bridge.end());

const at = ["--location", location, "--registry", registry];

async function listen(device: string, token: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
    protocolVersion: 5,
    clientId: clientIdentifier(device),
    username: "unused",
    password: token,
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
    keepalive: 0,
  });
  client.on("error", () => {});
  await client.subscribeAsync(`/devices/${device}/commands/#`, { qos: 1 });
  return client;
}

/** Waits for the cut. @returns when it came, and the Reason Code of the DISCONNECT before it. */
async function cut(
  client: MqttClient,
): Promise<{ readonly atMs: number; readonly reasonCode: number | undefined }> {
  let reasonCode: number | undefined;
  client.on("disconnect", (packet: IDisconnectPacket) => {
    reasonCode = packet.reasonCode;
  });
  await new Promise<void>((resolve) => {
    client.once("close", () => resolve());
  });
  return { atMs: Date.now(), reasonCode };
}

test("an idle, listen-only session is cut within a second of its token's end", async (t) => {
  const token = await bridge.mintToken("silent", await bridge.createDevice("silent"), "--lifetime", "5s");
  const [, claims = ""] = token.split(".");
  const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { exp: number };
  const client = await listen("silent", token);

  const { atMs, reasonCode } = await cut(client);

  t.diagnostic(`cut ${atMs - exp * 1000} ms after exp`);
  assert.ok(Math.abs(atMs - exp * 1000) <= 1_000, `cut ${atMs - exp * 1000} ms after exp`);
  assert.equal(reasonCode, 0x87);
});

test("blocking a device cuts its live session within a second", async (t) => {
  const client = await listen(
    "suspect",
    await bridge.mintToken("suspect", await bridge.createDevice("suspect")),
  );
  const gone = cut(client);

  await bridge.must("device", "block", "suspect", ...at);
  const blockedMs = Date.now();

  const { atMs, reasonCode } = await gone;
  t.diagnostic(`cut ${atMs - blockedMs} ms after the command returned`);
  assert.ok(atMs - blockedMs <= 1_000);
  assert.equal(reasonCode, 0x98);
});

test("retiring the key a session was opened with cuts the session within a second", async () => {
  const client = await listen(
    "retiree",
    await bridge.mintToken("retiree", await bridge.createDevice("retiree")),
  );
  const gone = cut(client);
  const { keys } = JSON.parse(await bridge.must("device", "keys", "list", "retiree", ...at, "--json")) as {
    keys: { keyId: string }[];
  };

  await bridge.must("device", "keys", "retire", "retiree", keys[0]?.keyId ?? "", ...at);
  const retiredMs = Date.now();

  const { atMs } = await gone;
  assert.ok(atMs - retiredMs <= 1_000);
});

test("a second connection of a device ends the first with 'session taken over', and stays", async () => {
  const token = await bridge.mintToken("twin", await bridge.createDevice("twin"));
  const first = await listen("twin", token);
  const gone = cut(first);

  const second = await listen("twin", token);

  assert.equal((await gone).reasonCode, 0x8e);
  await second.publishAsync("/devices/twin/events", "still here", { qos: 1 });
  await second.endAsync();
});
