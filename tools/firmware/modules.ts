/**
 * A firmware's modules: what its `main.ts` reaches, and each as plain JavaScript under the name the SDK knows it by.
 *
 * The SDK has modules by name, no packages and no `.ts` endings that we could rely on. So each source becomes a module
 * `mayfly/<package>/<path>`, types taken away and specifiers rewritten; nothing is bundled, since a bundle turns every
 * `const` into a `var`, and preloaded modules with variables cost memory on the chip.
 *
 * Left to others: the SDK's own modules, which the manifest includes.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { build, transform } from "esbuild";
import { ROOT } from "../program.ts";

export interface FirmwareModule {
  /** The name the SDK knows it by. */
  readonly name: string;
  /** The source, relative to the root. */
  readonly source: string;
}

type Import = { readonly path: string; readonly original?: string; readonly external?: boolean };
type Input = { readonly imports: readonly Import[] };

/** What one firmware is made of. */
export interface FirmwareGraph {
  readonly modules: readonly FirmwareModule[];
  /** Modules that the SDK is to bring, sorted. */
  readonly sdkModules: readonly string[];
  /** By source and specifier, as written: the name of the module that is meant. */
  readonly nameOf: (source: string, specifier: string) => string;
}

/** @param firmware Its folder, relative to the root, such as `firmware/sensor-esp32`. */
export async function readFirmware(firmware: string): Promise<FirmwareGraph> {
  const { metafile } = await build({
    entryPoints: [join(ROOT, firmware, "main.ts")],
    absWorkingDir: ROOT,
    bundle: true,
    metafile: true,
    write: false,
    format: "esm",
    // A bundler drops what is not used; the SDK links whole modules, so here everything that is named counts.
    treeShaking: false,
    external: SDK_MODULES,
  });
  const inputs: Readonly<Record<string, Input>> = metafile.inputs;
  const modules = Object.keys(inputs)
    .map((source) => ({ name: moduleName(firmware, source), source }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const imports = Object.values(inputs).flatMap((input) => input.imports);
  const sdkModules = [
    ...new Set(imports.filter((one) => one.external === true).map((one) => one.path)),
  ].sort();
  return {
    modules,
    sdkModules,
    nameOf(source, specifier) {
      const found = inputs[source]?.imports.find((one) => (one.original ?? one.path) === specifier);
      if (found === undefined) throw new Error(`${source} imports ${specifier}, which nothing answers to`);
      return found.external === true ? specifier : moduleName(firmware, found.path);
    },
  };
}

/** A module as JavaScript that the SDK takes. */
export async function emitModule(graph: FirmwareGraph, { source }: FirmwareModule): Promise<string> {
  const text = readFileSync(join(ROOT, source), "utf8");
  const { code } = await transform(text, { loader: "ts", format: "esm", target: "es2022", charset: "utf8" });
  // The compiler prints each import as a statement of its own, at the start of a line.
  return code.replace(
    /^((?:import|export)\b[^"]*? from |import )"([^"]+)";$/gm,
    (_all, before: string, specifier: string) => `${before}"${graph.nameOf(source, specifier)}";`,
  );
}

/** The file of a module below the firmware's `build/`, without its ending. */
export function builtFile(name: string): string {
  return name.startsWith("mayfly/") ? name : `program/${name}`;
}

/** What the SDK brings; a name that is neither this nor ours does not resolve, and the build says so. */
const SDK_MODULES = ["crypt", "embedded:*", "net", "preference", "Resource", "time", "timer"];

function moduleName(firmware: string, source: string): string {
  const path = source.split(sep).join("/").replace(/\.ts$/, "");
  const inPackage = /^packages\/([^/]+)\/src\/(.+)$/.exec(path);
  if (inPackage !== null) return `mayfly/${inPackage[1]}/${inPackage[2]}`;
  if (dirname(path) === firmware) return relative(firmware, path);
  throw new Error(`${source} is neither of a package nor of ${firmware}`);
}
