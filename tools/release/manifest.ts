/**
 * From a package's working manifest to the one we publish: doors lead to `dist/`, since Node strips no types below
 * `node_modules` (docs/adr/0002).
 */
export type WorkingManifest = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly type: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  /** Folders that are shipped as they are. */
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional: boolean }>>;
};

export type PublishedManifest = Omit<WorkingManifest, "exports" | "bin" | "files"> & {
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files: readonly string[];
};

/** Builds the manifest to publish. @throws {Error} for a door that does not lead to a `.ts` file in `src/`. */
export function toPublishedManifest(working: WorkingManifest): PublishedManifest {
  const doors = Object.entries(working.exports ?? {}).map(([door, source]) => [
    door,
    { types: toBuilt(source, ".d.ts"), default: toBuilt(source, ".js") },
  ]);
  const bins = Object.entries(working.bin ?? {}).map(([name, source]) => [
    name,
    toBuilt(source, ".js").slice("./".length), // npm warns about a leading "./" here
  ]);
  return {
    name: working.name,
    version: working.version,
    description: working.description,
    license: working.license,
    type: working.type,
    engines: working.engines,
    exports: { ...Object.fromEntries(doors), "./package.json": "./package.json" },
    ...(bins.length > 0 ? { bin: Object.fromEntries(bins) } : {}),
    files: ["dist", ...(working.files ?? [])],
    ...(working.dependencies === undefined ? {} : { dependencies: working.dependencies }),
    ...(working.peerDependencies === undefined ? {} : { peerDependencies: working.peerDependencies }),
    ...(working.peerDependenciesMeta === undefined
      ? {}
      : { peerDependenciesMeta: working.peerDependenciesMeta }),
  };
}

function toBuilt(source: string, ending: ".js" | ".d.ts"): string {
  const match = /^\.\/src\/(.+)\.ts$/.exec(source);
  if (match?.[1] === undefined) throw new Error(`"${source}" is no .ts file below ./src/`);
  return `./dist/${match[1]}${ending}`;
}
