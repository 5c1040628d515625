/** "No acknowledged message is missing", put to the test with kill -9 under load; MQTT.js is the client. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import mqtt, { type MqttClient } from "mqtt";
import { BridgeProcess, clientIdentifier } from "./bridge-process.ts";

const kills = 10;
const devices = ["load-1", "load-2", "load-3", "load-4"];

test(`kill -9 of the bridge under load, ${kills} times, loses no acknowledged message`, async (t) => {
  const bridge = new BridgeProcess();
  t.after(() => bridge.end());
  await bridge.start();
  await bridge.createRegistry();
  const tokens = new Map<string, string>();
  for (const device of devices)
    tokens.set(device, await bridge.mintToken(device, await bridge.createDevice(device)));
  const acknowledged = new Set<string>();
  let sequence = 0;

  for (let kill = 1; kill <= kills; kill += 1) {
    const goal = acknowledged.size + 200 + 37 * kill;
    const clients = await Promise.all(
      devices.map((device) => connect(bridge, device, tokens.get(device) ?? "")),
    );
    const killed = new Promise<void>((resolve) => {
      for (const [index, client] of clients.entries()) {
        const device = devices[index] ?? "";
        // Eight in flight a device, for as long as the bridge lives.
        const publish = () => {
          sequence += 1;
          const text = `${device} ${sequence}`;
          client.publish(`/devices/${device}/events`, text, { qos: 1 }, (error) => {
            if (error) return;
            acknowledged.add(text);
            if (acknowledged.size === goal) void bridge.stop("SIGKILL").then(() => resolve());
            publish();
          });
        };
        for (let flight = 0; flight < 8; flight += 1) publish();
      }
    });
    await killed;
    for (const client of clients) client.end(true);
    await bridge.start();
  }
  const delivered = new Set((await bridge.pull()).map(({ text }) => text));

  const missing = [...acknowledged].filter((text) => !delivered.has(text));
  assert.deepEqual(missing, []);
  assert.ok(acknowledged.size > kills * 200, `${acknowledged.size} messages were acknowledged`);
  t.diagnostic(`${acknowledged.size} acknowledged, ${delivered.size} delivered over ${kills} kills`);
});

async function connect(bridge: BridgeProcess, device: string, token: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
    clientId: clientIdentifier(device),
    username: "unused",
    password: token,
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
  });
  client.on("error", () => {});
  return client;
}
