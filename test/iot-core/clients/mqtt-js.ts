/**
 * The device of clients.test.ts, by MQTT.js; the orders and answers are those of paho_c.c.
 *
 *     mqtt-js.ts HOST PORT CA_FILE CLIENT_IDENTIFIER DEVICE
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import mqtt, { type MqttClient } from "mqtt";

const [host = "", port = "", caFile = "", clientId = "", device = ""] = process.argv.slice(2);
const tell = (...words: readonly string[]) => process.stdout.write(`${words.join(" ")}\n`);

function newClient(password: string): MqttClient {
  const client = mqtt.connect(`mqtts://${host}:${port}`, {
    ...{ protocolVersion: 4, clientId, username: "unused", password, clean: true, keepalive: 60 },
    ...{ ca: readFileSync(caFile), reconnectPeriod: 0 },
  });
  client.on("connect", () => {
    client.subscribe(
      { [`/devices/${device}/commands/#`]: { qos: 0 }, [`/devices/${device}/config`]: { qos: 1 } },
      () => tell("ready"),
    );
  });
  client.on("message", (topic, payload) => tell("message", topic, payload.toString()));
  client.on("error", (error) => tell("refused", String("code" in error ? error.code : error.message)));
  client.on("close", () => {
    if (!client.disconnecting) tell("lost");
  });
  return client;
}

let client: MqttClient | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, first = "", ...rest] = line.split(" ");
  if (verb === "end") break;
  if (verb === "connect") {
    await client?.endAsync();
    client = newClient(first);
  }
  if (verb === "subscribe") {
    const word = await client?.subscribeAsync(first, { qos: 1 }).then(
      () => "granted",
      () => "refused",
    );
    tell(word ?? "refused", first);
  }
  if (verb === "publish") {
    await client?.publishAsync(first, rest.join(" "), { qos: 1 });
    tell("acknowledged", first);
  }
}
await client?.endAsync();
