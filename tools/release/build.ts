/**
 * Release build: each package as npm will see it, compiled against its neighbours as npm will see *them*.
 *
 * A package is staged in `.build/release/<name>` with its sources and the manifest to publish, and its neighbours
 * are linked beside it, already built. So the compiler resolves `@mayfly/core` through the published manifest to
 * `dist/index.d.ts`: a door that the release would lack is an error here, not at a customer's.
 *
 * Left to others: what the manifest says (`manifest.ts`).
 */
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { ROOT, runProgram } from "../program.ts";
import { toPublishedManifest, type WorkingManifest } from "./manifest.ts";

export type BuiltPackage = {
  readonly name: string;
  /** The folder to pack. */
  readonly folder: string;
};

/**
 * Builds every package below packages/ into `target`.
 *
 * @returns the packages, dependencies before their dependants.
 * @throws {Error} with the compiler's messages.
 */
export async function buildRelease(target: string): Promise<readonly BuiltPackage[]> {
  rmSync(target, { recursive: true, force: true });
  const built: BuiltPackage[] = [];
  for (const manifest of inOrderOfNeed(readManifests())) {
    built.push(await buildPackage(target, manifest));
  }
  return built;
}

/** Packs the packages. @returns the tarballs' paths. */
export async function packRelease(
  packages: readonly BuiltPackage[],
  destination: string,
): Promise<readonly string[]> {
  mkdirSync(destination, { recursive: true });
  const tarballs: string[] = [];
  for (const { folder } of packages) {
    const end = await runNpm(["pack", "--json", "--pack-destination", destination], folder);
    const [packed] = Object.values(JSON.parse(end) as Record<string, { readonly filename: string }>);
    if (packed === undefined) throw new Error(`npm pack said nothing about ${folder}`);
    tarballs.push(join(destination, basename(packed.filename)));
  }
  return tarballs;
}

/** Runs npm. @returns its stdout. @throws {Error} with what it said. */
export async function runNpm(args: readonly string[], cwd: string): Promise<string> {
  // A user's npm runs under no other npm: settings inherited from `npm test` would change what it does.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config|package|lifecycle)_/.test(name),
  );
  const end = await runProgram("npm", args, { cwd, env: Object.fromEntries(inherited) });
  if (end.code !== 0) throw new Error(`npm ${args[0]} failed: ${end.stderr}${end.stdout}`);
  return end.stdout;
}

async function buildPackage(target: string, working: WorkingManifest): Promise<BuiltPackage> {
  const folderName = working.name.replace("@mayfly/", "");
  const source = join(ROOT, "packages", folderName);
  const folder = join(target, folderName);

  mkdirSync(folder, { recursive: true });
  cpSync(join(source, "src"), join(folder, "src"), {
    recursive: true,
    filter: (path) => !path.endsWith(".test.ts"),
  });
  writeJson(join(folder, "package.json"), toPublishedManifest(working));
  for (const shipped of working.files ?? []) {
    cpSync(join(source, shipped), join(folder, shipped), { recursive: true });
  }
  cpSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeJson(join(folder, "tsconfig.json"), {
    extends: relative(folder, join(ROOT, "tsconfig.base.json")),
    compilerOptions: {
      types: ["node"],
      target: "ES2024",
      lib: ["ES2024"],
      noEmit: false,
      declaration: true,
      rootDir: "src",
      outDir: "dist",
    },
    include: ["src"],
  });
  await compile(folder);

  const scope = join(target, "node_modules", "@mayfly");
  mkdirSync(scope, { recursive: true });
  symlinkSync(join("..", "..", folderName), join(scope, folderName));
  return { name: working.name, folder };
}

async function compile(folder: string): Promise<void> {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const end = await runProgram(process.execPath, [tsc, "--project", folder, "--pretty", "false"]);
  if (end.code !== 0) throw new Error(`${folder} does not compile as released:\n${end.stdout}${end.stderr}`);
}

function readManifests(): readonly WorkingManifest[] {
  return globSync("packages/*/package.json", { cwd: ROOT })
    .sort()
    .map((path) => JSON.parse(readFileSync(join(ROOT, path), "utf8")) as WorkingManifest);
}

/** Dependencies first. @throws {Error} when packages need each other in a circle. */
export function inOrderOfNeed(manifests: readonly WorkingManifest[]): readonly WorkingManifest[] {
  const names = new Set(manifests.map((manifest) => manifest.name));
  const ordered: WorkingManifest[] = [];
  while (ordered.length < manifests.length) {
    const done = new Set(ordered.map((manifest) => manifest.name));
    const next = manifests.find(
      (manifest) =>
        !done.has(manifest.name) &&
        Object.keys(manifest.dependencies ?? {}).every((name) => !names.has(name) || done.has(name)),
    );
    if (next === undefined) throw new Error("packages need each other in a circle");
    ordered.push(next);
  }
  return ordered;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}
