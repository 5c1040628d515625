import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createMemoryBackbone } from "../../src/backbone/memory/index.ts";
import { openSqliteBackbone } from "../../src/backbone/sqlite/index.ts";
import { backboneContract } from "./backbone.contract.ts";
import { seededRandom } from "./virtual-ports.ts";

const parent = mkdtempSync(join(tmpdir(), "mayfly-events-"));
after(() => rmSync(parent, { recursive: true }));
let folders = 0;

backboneContract("memory", async ({ clock, timers }) => createMemoryBackbone({ clock, timers }));

backboneContract("sqlite", ({ clock, timers }) => {
  folders += 1;
  const folder = join(parent, `${folders}`);
  return openSqliteBackbone({ clock, timers, random: seededRandom(7), folder, partitions: 2 });
});
