import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createMemoryRegistryStore } from "../../src/store/memory/index.ts";
import { openSqliteRegistryStore } from "../../src/store/sqlite/index.ts";
import { sessionStoreContract } from "./session-store.contract.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-sessions-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

sessionStoreContract("memory", async ({ time, random }) =>
  createMemoryRegistryStore({ clock: time.clock, random }),
);

sessionStoreContract("sqlite", ({ time, random }) => {
  files += 1;
  const file = join(folder, `${files}`, "registry.db");
  return openSqliteRegistryStore({ ...time, random, file, exclusive: "serve" });
});
