/**
 * The manifests of the firmware programs against their sources. The SDK itself is not here: what it makes of them is on
 * the hardware checklists.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../program.ts";
import { completeManifest, findFirmware } from "./main.ts";
import { emitModule, readFirmware } from "./modules.ts";

for (const firmware of findFirmware()) {
  test(`${firmware}: the manifest lists just the modules that the program reaches (npm run firmware)`, async () => {
    const written = readFileSync(join(ROOT, firmware, "manifest.json"), "utf8");

    assert.deepEqual(JSON.parse(written), JSON.parse(await completeManifest(firmware)));
  });

  test(`${firmware}: every module exists, and names only modules of the manifest or of the SDK`, async () => {
    const graph = await readFirmware(firmware);
    const known = new Set([...graph.modules.map(({ name }) => name), ...graph.sdkModules]);

    for (const module of graph.modules) {
      assert.ok(existsSync(join(ROOT, module.source)), module.source);
      const code = await emitModule(graph, module);
      const named = [...code.matchAll(/^(?:import|export)\b[^"]*?(?:from )?"([^"]+)";$/gm)].map(
        ([, name]) => name,
      );
      for (const name of named) assert.ok(known.has(name ?? ""), `${module.name} names ${name}`);
    }
  });

  test(`${firmware}: the SDK's modules are those that are declared, and no code of Node's is carried`, async () => {
    const graph = await readFirmware(firmware);
    const declarations = readFileSync(join(ROOT, firmware, "sdk-modules.d.ts"), "utf8");

    const declared = [...declarations.matchAll(/^declare module "([^"]+)"/gm)].map(([, name]) => name).sort();

    assert.deepEqual(graph.sdkModules, declared);
    assert.deepEqual(
      graph.modules.filter(({ source }) => /\/host\/node\/|\/sim\/|\.test\.ts$/.test(source)),
      [],
    );
  });

  test(`${firmware}: the heap it asks for is the one the agent is tested in, and grows no more`, () => {
    const { platforms } = JSON.parse(readFileSync(join(ROOT, firmware, "manifest.json"), "utf8"));
    const { chunk, heap } = platforms.esp32.creation;

    assert.equal(chunk.incremental, 0);
    assert.equal(heap.incremental, 0);
    assert.ok(16 * heap.initial + chunk.initial >= 30 * 1024);
  });
}
