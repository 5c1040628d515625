/**
 * `npm run firmware`: writes the modules of each firmware below its `build/`, and its list of modules into its
 * manifest. The SDK's `mcconfig` takes it from there.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../program.ts";
import { builtFile, emitModule, readFirmware } from "./modules.ts";

/** The firmware programs, relative to the root. */
export function findFirmware(): readonly string[] {
  return globSync("firmware/*/main.ts", { cwd: ROOT }).map(dirname).sort();
}

/** The manifest with the modules that the program reaches. */
export async function completeManifest(firmware: string): Promise<string> {
  const graph = await readFirmware(firmware);
  const manifest = JSON.parse(readFileSync(join(ROOT, firmware, "manifest.json"), "utf8"));
  const names = graph.modules.map(({ name }) => name);
  const modules = Object.fromEntries(names.map((name) => [name, `./build/${builtFile(name)}`]));
  // The program itself runs on the chip; ours are run when it is built, and lie in flash.
  const preload = names.filter((name) => name.startsWith("mayfly/"));
  return `${JSON.stringify({ ...manifest, modules, preload }, undefined, 2)}\n`;
}

if (import.meta.main) {
  for (const firmware of findFirmware()) {
    const graph = await readFirmware(firmware);
    rmSync(join(ROOT, firmware, "build"), { recursive: true, force: true });
    for (const module of graph.modules) {
      const file = join(ROOT, firmware, "build", `${builtFile(module.name)}.js`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, await emitModule(graph, module));
    }
    writeFileSync(join(ROOT, firmware, "manifest.json"), await completeManifest(firmware));
    console.log(`${firmware}: ${graph.modules.length} modules`);
  }
}
