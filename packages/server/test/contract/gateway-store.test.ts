import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createMemoryRegistryStore } from "../../src/store/memory/index.ts";
import { openSqliteRegistryStore } from "../../src/store/sqlite/index.ts";
import { gatewayStoreContract } from "./gateway-store.contract.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-gateways-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

gatewayStoreContract("memory", async ({ time, random, bindingLimits }) =>
  createMemoryRegistryStore({ clock: time.clock, random, bindingLimits }),
);

gatewayStoreContract("sqlite", ({ time, random, bindingLimits }) => {
  files += 1;
  const file = join(folder, `${files}`, "registry.db");
  return openSqliteRegistryStore({ ...time, random, bindingLimits, file, exclusive: "serve" });
});
