import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mqttListenMax, startServer } from "./start-server.ts";

test("more further ports of the MQTT bridge than eight are refused before anything is opened", async () => {
  const dataFolder = join(tmpdir(), `mayfly-never-made-${process.pid}`);
  const mqttListen = Array.from({ length: mqttListenMax + 1 }, () => ({ port: 0 }));

  const starting = startServer({ dataFolder, ports: "auto", projects: ["mayfly"], mqttListen });

  await assert.rejects(starting, /listens on 8 further ports at most/);
  assert.equal(existsSync(dataFolder), false);
});
