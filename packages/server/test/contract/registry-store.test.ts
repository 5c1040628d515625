import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createMemoryRegistryStore } from "../../src/store/memory/index.ts";
import { openSqliteRegistryStore } from "../../src/store/sqlite/index.ts";
import { registryStoreContract } from "./registry-store.contract.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-registry-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

registryStoreContract("memory", async ({ time, random }) =>
  createMemoryRegistryStore({ clock: time.clock, random }),
);

registryStoreContract("sqlite", ({ time, random }) => {
  files += 1;
  const file = join(folder, `${files}`, "registry.db");
  return openSqliteRegistryStore({
    clock: time.clock,
    timers: time.timers,
    random,
    file,
    exclusive: "serve",
  });
});
