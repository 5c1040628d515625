/**
 * Clients nobody here wrote, as their own programs, with a key made by openssl and a token from `mayfly token mint`:
 * what each of them publishes, `mayfly pull` delivers.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { on } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import mqtt from "mqtt";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier } from "./bridge-process.ts";

const execute = promisify(execFile);
const bridge = new BridgeProcess();
let keyFile: string;
let token: string;

before(async () => {
  await bridge.start();
  await bridge.createRegistry();
  keyFile = await bridge.createDevice("sensor-1");
  token = await bridge.mintToken("sensor-1", keyFile);
});
after(() => bridge.end());

function mosquittoFlags(version: string): string[] {
  return [
    ...["-h", "localhost", "-p", String(bridge.port), "--cafile", bridge.endpoints.ca, "-V", version],
    ...["-i", clientIdentifier("sensor-1"), "-u", "unused", "-P", token],
  ];
}

for (const version of ["mqttv311", "5"]) {
  test(`what mosquitto_pub -V ${version} publishes with QoS 1, mayfly pull delivers`, async (t) => {
    requireService(t, "mosquitto_pub");

    await execute("mosquitto_pub", [
      ...mosquittoFlags(version),
      "-t",
      "/devices/sensor-1/events/temperature",
      "-q",
      "1",
      "-m",
      `21.5 ${version}`,
    ]);

    const delivered = (await bridge.pull()).map(({ device, subfolder, text }) => ({
      device,
      subfolder,
      text,
    }));
    assert.deepEqual(delivered, [{ device: "sensor-1", subfolder: "temperature", text: `21.5 ${version}` }]);
  });

  test(`mosquitto_sub -V ${version} is sent the config when it subscribes, and the next one when it changes`, async (t) => {
    requireService(t, "mosquitto_sub");
    await bridge.must(
      "config",
      "set",
      "--location",
      "us-central1",
      "--registry",
      "plant",
      "--device",
      "sensor-1",
      "--text",
      `first ${version}`,
    );

    const subscriber = spawn("stdbuf", [
      // Into a pipe the C library would keep its lines until the program ends.
      ...["-oL", "mosquitto_sub"],
      ...mosquittoFlags(version),
      "-t",
      "/devices/sensor-1/config",
      "-q",
      "1",
      "-C",
      "2",
    ]);
    t.after(() => subscriber.kill());
    const lines = linesOf(subscriber);
    const first = await lines.next();
    await bridge.must(
      "config",
      "set",
      "--location",
      "us-central1",
      "--registry",
      "plant",
      "--device",
      "sensor-1",
      "--text",
      `second ${version}`,
    );
    const second = await lines.next();

    assert.deepEqual([first.value, second.value].flat(), [`first ${version}`, `second ${version}`]);
  });

  test(`mosquitto_sub -V ${version} receives a command on its subfolder`, async (t) => {
    requireService(t, "mosquitto_sub");
    const subscriber = spawn("stdbuf", [
      // Into a pipe the C library would keep its lines until the program ends.
      ...["-oL", "mosquitto_sub"],
      ...mosquittoFlags(version),
      "-v",
      "-t",
      "/devices/sensor-1/commands/#",
      "-q",
      "1",
      "-C",
      "1",
    ]);
    t.after(() => subscriber.kill());
    const lines = linesOf(subscriber);

    await untilSubscribed(() =>
      bridge.run(
        "command",
        "send",
        "--location",
        "us-central1",
        "--registry",
        "plant",
        "--device",
        "sensor-1",
        "--subfolder",
        "valve",
        "--text",
        "open",
      ),
    );

    const line = await lines.next();
    assert.deepEqual(line.value, ["/devices/sensor-1/commands/valve open"]);
  });
}

for (const protocolVersion of [4, 5] as const) {
  test(`what MQTT.js publishes with protocol level ${protocolVersion}, mayfly pull delivers`, async () => {
    const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
      protocolVersion,
      clientId: clientIdentifier("sensor-1"),
      username: "unused",
      password: token,
      ca: readFileSync(bridge.endpoints.ca),
      reconnectPeriod: 0,
    });

    await client.publishAsync("/devices/sensor-1/events", `mqtt.js ${protocolVersion}`, { qos: 1 });
    await client.publishAsync("/devices/sensor-1/events", `mqtt.js ${protocolVersion} unacknowledged`, {
      qos: 0,
    });
    await client.endAsync();

    const delivered = (await bridge.pull()).map(({ device, subfolder, text }) => ({
      device,
      subfolder,
      text,
    }));
    assert.deepEqual(
      delivered.map(({ text }) => text),
      [`mqtt.js ${protocolVersion}`, `mqtt.js ${protocolVersion} unacknowledged`],
    );
  });

  test(`what paho-python publishes with protocol level ${protocolVersion}, mayfly pull delivers`, async (t) => {
    requireService(t, "paho");
    const script = `
import sys, ssl
import paho.mqtt.client as paho
host, port, ca, client_id, token, version = sys.argv[1:7]
client = paho.Client(client_id=client_id, protocol=int(version))
client.tls_set(ca_certs=ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.username_pw_set("unused", token)
client.connect(host, int(port), keepalive=30)
client.loop_start()
message = client.publish("/devices/sensor-1/events/paho", "from paho " + version, qos=1)
message.wait_for_publish(10)
assert message.is_published()
client.disconnect()
client.loop_stop()
`;

    await execute("/usr/bin/python3", [
      "-c",
      script,
      "localhost",
      String(bridge.port),
      bridge.endpoints.ca,
      clientIdentifier("sensor-1"),
      token,
      String(protocolVersion),
    ]);

    const delivered = (await bridge.pull()).map(({ device, subfolder, text }) => ({
      device,
      subfolder,
      text,
    }));
    assert.deepEqual(delivered, [
      { device: "sensor-1", subfolder: "paho", text: `from paho ${protocolVersion}` },
    ]);
  });
}

test("mosquitto_pub with a token of another device's key is told it is not authorised", async (t) => {
  requireService(t, "mosquitto_pub");
  const otherKey = await bridge.createDevice("sensor-2");
  const forged = await bridge.mintToken("sensor-1", otherKey);
  const flags = mosquittoFlags("mqttv311").map((flag) => (flag === token ? forged : flag));

  const attempt = execute("mosquitto_pub", [
    ...flags,
    "-t",
    "/devices/sensor-1/events",
    "-q",
    "1",
    "-m",
    "forged",
  ]);

  await assert.rejects(attempt, (error: { stderr: string }) => /not authori[sz]ed/i.test(error.stderr));
  assert.deepEqual(await bridge.pull(), []);
});

/** Listens from the first byte: what a child that has ended still had to say would otherwise be thrown away. */
function linesOf(child: ChildProcess): AsyncIterator<string[]> {
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  return on(lines, "line", { close: ["close"] })[Symbol.asyncIterator]() as AsyncIterator<string[]>;
}

/** The subscriber is a process of its own: ask until the bridge no longer answers that nobody is subscribed. At most 40 times. */
async function untilSubscribed(
  send: () => Promise<{ readonly code: number; readonly stderr: string }>,
): Promise<void> {
  let last = "";
  for (let tries = 0; tries < 40; tries += 1) {
    const { code, stderr } = await send();
    if (code === 0) return;
    last = stderr;
  }
  assert.fail(`the command was never taken: ${last}`);
}
