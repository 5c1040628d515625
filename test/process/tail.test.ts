/** `mayfly tail` against a live server: what a device publishes shows up, and an interrupt ends it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import mqtt from "mqtt";
import { BridgeProcess, clientIdentifier, location, mayflyMain, registry } from "./bridge-process.ts";

test("mayfly tail prints what a device publishes while it runs, and SIGINT ends it with 0", async (t) => {
  const bridge = new BridgeProcess();
  t.after(() => bridge.end());
  await bridge.start();
  await bridge.createRegistry();
  const token = await bridge.mintToken("seen", await bridge.createDevice("seen"));
  const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
    clientId: clientIdentifier("seen"),
    username: "unused",
    password: token,
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
  });
  t.after(() => client.end(true));
  const where = ["--location", location, "--registry", registry, "--data", bridge.data];
  const tail = spawn(process.execPath, [mayflyMain, "tail", "--json", ...where]);
  t.after(() => tail.kill("SIGKILL"));
  const ended = once(tail, "exit");
  let printed = "";
  tail.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });

  // A tail shows what comes after it began, and does not say when that is: so one message after another.
  for (let n = 0; !printed.includes("\n") && tail.exitCode === null; n++) {
    await client.publishAsync("/devices/seen/events/temperature", `reading ${n}`, { qos: 1 });
  }
  tail.kill("SIGINT");
  const [code] = (await ended) as [number | null];

  const first = JSON.parse(printed.slice(0, printed.indexOf("\n"))) as {
    readonly data: string;
    readonly attributes: Readonly<Record<string, string>>;
  };
  assert.match(Buffer.from(first.data, "base64").toString(), /^reading \d+$/);
  assert.deepEqual([first.attributes["deviceId"], first.attributes["subFolder"]], ["seen", "temperature"]);
  assert.equal(code, 0);
});
