/**
 * Bundles for an engine without modules of ours: one script, one global name, ES2022, minified as a release would be.
 */
import { join } from "node:path";
import { build } from "esbuild";

/** @param entry below `inside/`. @returns A script that leaves the entry's exports in `globalThis[name]`. */
export async function bundle(entry: string, name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "inside", entry)],
    bundle: true,
    write: false,
    format: "iife",
    globalName: name,
    target: "es2022",
    minify: true,
    charset: "ascii",
  });
  const script = outputFiles[0]?.text ?? "";
  return `${script};globalThis.${name}=${name};1`;
}
