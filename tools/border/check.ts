/**
 * Border check: holds every import and every touch of the machine against the doors table.
 *
 * Works on a tree in memory, so that the tests can break each rule and see its sentence.
 *
 * Left to others: reading the tree from disk (`main.ts`), the rules themselves (`doors.ts`).
 */
import { posix } from "node:path";
import {
  CRYPTO_NAMES_THAT_TOUCH,
  DEMO_CUSTOMERS,
  DEMO_FOLDER,
  FOLDERS_THAT_TOUCH,
  folderRules,
  NODE_MODULES_THAT_COMPUTE,
  PACKAGES_THAT_NEVER_TOUCH,
  type PackageDoors,
  packageDoors,
  ROOMS_BEHIND_TLS,
  sentences,
} from "./doors.ts";
import { type ImportFact, readSourceFacts } from "./source-facts.ts";

/** A package.json as far as borders go. */
export type Manifest = {
  readonly name?: string;
  readonly exports?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

export type Tree = {
  /** Source text by path from the root, with forward slashes. */
  readonly sources: ReadonlyMap<string, string>;
  /** Manifests by folder: "packages/core", or "" for the root. */
  readonly manifests: ReadonlyMap<string, Manifest>;
};

export type Breach = {
  readonly path: string;
  readonly line: number;
  /** What was found, such as the module's name. */
  readonly found: string;
  /** The rule that was broken, as a sentence. */
  readonly sentence: string;
};

/** Where a file stands: in what package, below its src/, and whether it ships. */
type Place = {
  readonly path: string;
  readonly package: string | undefined;
  /** Path below src/; undefined for a package's test/ and bench/ and all outside packages/. */
  readonly below: string | undefined;
  readonly ships: boolean;
};

/** @returns every breach in the tree, in the order of paths and lines. */
export function findBreaches(tree: Tree): readonly Breach[] {
  const breaches: Breach[] = [];
  for (const path of [...tree.sources.keys()].sort()) {
    const place = findPlace(path);
    const facts = readSourceFacts(tree.sources.get(path) ?? "");
    const say = (line: number, found: string, sentence: string) =>
      breaches.push({ path, line, found, sentence });

    if (place.package !== undefined && packageDoors[place.package] === undefined) {
      say(1, place.package, sentences.unknownPackage);
      continue;
    }
    for (const fact of facts.imports) {
      for (const sentence of judgeImport(tree, place, fact)) {
        say(fact.line, fact.specifier ?? "a computed specifier", sentence);
      }
    }
    if (!place.ships) continue;
    if (!mayTouch(place)) for (const touch of facts.touches) say(touch.line, touch.what, sentences.touch);
    for (const line of facts.wildcardExports) say(line, "export *", sentences.wildcard);
  }
  return breaches;
}

/** One breach as a line for people. */
export function formatBreach(breach: Breach): string {
  return `${breach.path}:${breach.line}: ${breach.sentence} (found: ${breach.found})`;
}

function findPlace(path: string): Place {
  const [top, name, folder, ...rest] = path.split("/");
  if (top !== "packages" || name === undefined) {
    return { path, package: undefined, below: undefined, ships: false };
  }
  if (folder !== "src") return { path, package: name, below: undefined, ships: false };
  return { path, package: name, below: rest.join("/"), ships: !path.endsWith(".test.ts") };
}

function mayTouch(place: Place): boolean {
  if (place.below === undefined || place.package === undefined) return true;
  if ((PACKAGES_THAT_NEVER_TOUCH as readonly string[]).includes(place.package)) return false;
  return (
    posix.basename(place.below) === "main.ts" ||
    FOLDERS_THAT_TOUCH.some((folder) => place.below?.startsWith(folder))
  );
}

function judgeImport(tree: Tree, place: Place, fact: ImportFact): readonly string[] {
  if (fact.specifier === undefined) return place.ships ? [sentences.computed] : [];
  if (fact.specifier.startsWith(".")) return judgeRelative(tree, place, fact.specifier);
  if (fact.specifier.startsWith("node:")) return judgeNode(place, fact);
  return judgeBare(tree, place, fact);
}

function judgeRelative(tree: Tree, place: Place, specifier: string): readonly string[] {
  const target = posix.normalize(posix.join(posix.dirname(place.path), specifier));
  const there = findPlace(target);
  const broken: string[] = [];

  if (/\.[cm]?[jt]sx?$/.test(target) && !tree.sources.has(target)) broken.push(sentences.missing);
  if (!place.ships) {
    // Tests may use tools/ and their own package; into another package they too go by the front door.
    const escapes =
      place.package !== undefined && there.package !== undefined && there.package !== place.package;
    return escapes ? [...broken, sentences.relativeEscape] : broken;
  }
  if (target === `packages/${place.package}/package.json`) return broken; // a program may know its own version
  if (there.package === undefined) return [...broken, sentences.testCode];
  if (there.package !== place.package) return [...broken, sentences.relativeEscape];
  if (!there.ships) return [...broken, sentences.testCode];
  if (isDemo(place) && !isDemo(there)) broken.push(sentences.demo);
  for (const rule of folderRules) {
    if (rule.package !== place.package) continue;
    const applies = rule.from.some((folder) => place.below?.startsWith(folder));
    if (applies && rule.to.some((folder) => there.below?.startsWith(folder))) broken.push(rule.sentence);
  }
  return broken;
}

function judgeNode(place: Place, fact: ImportFact): readonly string[] {
  const { specifier = "" } = fact;
  if (!place.ships || place.below === undefined) return [];
  const doors = doorsOf(place);
  const broken: string[] = [];
  if (!doors.nodeIn.some((folder) => place.below?.startsWith(folder))) broken.push(doors.sentence);
  if (fact.typeOnly || mayTouch(place)) return broken; // a type reaches nothing
  const throwsDice =
    specifier === "node:crypto" && fact.names.some((name) => CRYPTO_NAMES_THAT_TOUCH.has(name));
  if (throwsDice || !NODE_MODULES_THAT_COMPUTE.has(specifier)) broken.push(sentences.touch);
  return broken;
}

function judgeBare(tree: Tree, place: Place, fact: ImportFact): readonly string[] {
  const { specifier = "" } = fact;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const broken: string[] = [];
  const isOurs = name.startsWith("@mayfly/");

  if (isOurs) {
    const other = name.slice("@mayfly/".length);
    const door = `.${specifier.slice(name.length)}`;
    const exports = tree.manifests.get(`packages/${other}`)?.exports ?? {};
    if (!Object.hasOwn(exports, door)) broken.push(sentences.frontDoor);
    if (place.ships && other !== place.package) {
      const { mayEnter, sentence } = doorsOf(place);
      if (!mayEnter.includes(other) && !mayEnter.includes(other + door.slice(1))) broken.push(sentence);
      if (isCustomer(place) && ROOMS_BEHIND_TLS.includes(other)) broken.push(sentences.demoServer);
    }
  } else if (place.ships) {
    const { libraries, sentence } = doorsOf(place);
    const adapters = Object.hasOwn(libraries, name) ? libraries[name] : undefined;
    if (adapters === undefined) broken.push(sentence);
    else if (!adapters.some((folder) => place.below?.startsWith(folder))) broken.push(sentences.library);
  }
  if (!isDeclared(tree, place, name)) broken.push(sentences.declared);
  return broken;
}

function isDeclared(tree: Tree, place: Place, name: string): boolean {
  const own = place.package === undefined ? undefined : tree.manifests.get(`packages/${place.package}`);
  if (own?.name === name) return true;
  const inOwn = Object.hasOwn({ ...own?.dependencies, ...own?.peerDependencies }, name);
  if (inOwn || place.ships) return inOwn;
  // Tests, benches and tools use the root's development dependencies, and any package of the house.
  const root = tree.manifests.get("");
  const inRoot = { ...root?.devDependencies, ...root?.dependencies };
  return (
    name.startsWith("@mayfly/") ||
    Object.hasOwn(inRoot, name) ||
    Object.hasOwn(own?.devDependencies ?? {}, name)
  );
}

function isDemo(place: Place): boolean {
  return place.package === "cli" && (place.below ?? "").startsWith(DEMO_FOLDER);
}

function isCustomer(place: Place): boolean {
  return place.package === "cli" && DEMO_CUSTOMERS.some((start) => place.below?.startsWith(start));
}

function doorsOf(place: Place): PackageDoors {
  const doors = packageDoors[place.package ?? ""];
  if (doors === undefined) throw new Error(`no row in the doors table for ${place.path}`);
  return doors;
}
