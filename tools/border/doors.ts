/**
 * The doors table as data: which package may enter which, and who may reach the machine. Each rule carries the
 * sentence that is printed when it is broken.
 */

export type PackageDoors = {
  /** Mayfly packages it may enter, by their front doors; a name with a path allows that one door only. */
  readonly mayEnter: readonly string[];
  /** Outside libraries, each with the folders and files (below src/) that may name it: its one adapter. */
  readonly libraries: Readonly<Record<string, readonly string[]>>;
  /** Folders (below src/) where `node:` modules may be named; "" is the whole package. */
  readonly nodeIn: readonly string[];
  readonly sentence: string;
};

export const packageDoors: Readonly<Record<string, PackageDoors>> = {
  core: {
    mayEnter: [],
    libraries: {},
    nodeIn: [],
    sentence: "core imports nothing: it must run wherever a device or a server runs.",
  },
  "secure-element": {
    mayEnter: [],
    // Loaded only when used, and never installed by us: a native add-on.
    libraries: { "i2c-bus": ["host/node/"] },
    nodeIn: ["host/node/"],
    sentence:
      "secure-element imports nothing of ours and Node's modules only in host/node; it fits core's signer port by its shape.",
  },
  device: {
    mayEnter: ["core"],
    libraries: {},
    nodeIn: ["host/node/"],
    sentence: "device imports core and no library; Node's modules only in host/node.",
  },
  server: {
    mayEnter: ["core"],
    libraries: {
      fastify: ["http/", "host/"],
      pino: ["host/"],
      "prom-client": ["host/"],
      "@peculiar/x509": ["host/"],
      "reflect-metadata": ["host/"],
    },
    nodeIn: [""],
    sentence: "server imports core and a few libraries, each behind its one adapter.",
  },
  factory: {
    mayEnter: ["core", "secure-element"],
    libraries: { "@peculiar/x509": [""] },
    nodeIn: [""],
    sentence: "factory imports core, secure-element and reviewed X.509 libraries.",
  },
  sim: {
    mayEnter: ["core", "secure-element", "device", "server", "factory"],
    libraries: {},
    nodeIn: [""],
    sentence: "sim imports the rooms it plays with, by their front doors.",
  },
  cli: {
    mayEnter: ["core", "secure-element", "device", "server", "factory", "sim"],
    libraries: {
      commander: [""],
      fastify: ["agent-service/", "host/"],
      "prom-client": ["agent-service/"],
      pino: ["host/"],
    },
    nodeIn: [""],
    sentence:
      "cli imports everything but console, commander, and for the agent's service a few libraries behind their adapters.",
  },
  console: {
    mayEnter: ["core/admin"],
    libraries: {},
    nodeIn: [],
    sentence: "console knows core/admin and nothing else of ours.",
  },
};

/** A rule about folders inside one package: files below `from` may not import files below `to`. */
export type FolderRule = {
  readonly package: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly sentence: string;
};

const DOMAIN = [
  "auth/",
  "registry/",
  "time/",
  "rotation/",
  "clock-health/",
  "telemetry/",
  "presence/",
  "audit/",
];
const CALLERS = ["mqtt/", "http/", "hooks/"];
const ADAPTERS = ["store/", "backbone/", "host/"];

export const folderRules: readonly FolderRule[] = [
  {
    package: "server",
    from: DOMAIN,
    to: [...ADAPTERS, ...CALLERS],
    sentence: "The domain folders define ports and import no adapter.",
  },
  {
    package: "server",
    from: CALLERS,
    to: ADAPTERS,
    sentence: "mqtt, http and hooks call the domain through its ports; only a host or main chooses adapters.",
  },
  {
    package: "server",
    from: ["store/", "backbone/"],
    to: [...CALLERS, "host/"],
    sentence: "store and backbone implement the domain's ports and know nobody who calls them.",
  },
  {
    package: "server",
    from: ["mqtt/"],
    to: ["http/"],
    sentence: "The bridges share auth and telemetry, never each other's code.",
  },
  {
    package: "device",
    from: ["time/", "token/", "session/", "key/", "agent"],
    to: ["host/"],
    sentence: "The agent sees ports; only a main chooses adapters.",
  },
];

/** Folders (below src/) whose files may reach the machine; a file called main.ts may as well. */
export const FOLDERS_THAT_TOUCH = ["host/", "store/", "backbone/"] as const;

/** Packages where not even these folders may. */
export const PACKAGES_THAT_NEVER_TOUCH = ["core", "sim", "console"] as const;

/** Node's modules that only compute. Every other `node:` module reaches the machine. */
export const NODE_MODULES_THAT_COMPUTE: ReadonlySet<string> = new Set([
  "node:assert",
  "node:assert/strict",
  "node:buffer",
  "node:crypto",
  "node:events",
  "node:path",
  "node:path/posix",
  "node:querystring",
  "node:stream",
  "node:string_decoder",
  "node:url",
  "node:util",
  "node:zlib",
]);

/** `node:crypto` hashes, verifies and compares anywhere; these of its names throw dice. */
export const CRYPTO_NAMES_THAT_TOUCH: ReadonlySet<string> = new Set([
  "*",
  "default",
  "randomBytes",
  "randomFill",
  "randomFillSync",
  "randomInt",
  "randomUUID",
  "randomUUIDv7",
  "generateKey",
  "generateKeySync",
  "generateKeyPair",
  "generateKeyPairSync",
  "generatePrime",
  "generatePrimeSync",
  "createDiffieHellman",
  "createECDH",
  "getRandomValues",
  "webcrypto",
  "subtle",
]);

/** The demo: files (below packages/cli/src/) held to what a user's program could import. */
export const DEMO_FOLDER = "demo/";
/** The demo and the command that starts it: they start the server as a process, and meet it over TLS only. */
export const DEMO_CUSTOMERS = [DEMO_FOLDER, "commands/demo"] as const;
export const ROOMS_BEHIND_TLS: readonly string[] = ["server", "sim", "factory"];

export const sentences = {
  touch: "Nothing outside host/, store/, backbone/ and a main touches clock, randomness, disk or socket.",
  frontDoor:
    "Across packages we enter by a front door: one of the names in the other's package.json exports.",
  relativeEscape: "Across packages we enter by a front door, never by a path.",
  declared: "A package declares in its package.json what it imports.",
  testCode: "What ships never imports tests, benches or tools.",
  wildcard: "A front door is an explicit list of names, never `export *`.",
  computed: "An import names its module in a literal, so that it can be checked.",
  missing: "An import names a file that exists, with its ending.",
  demo: "The demo is a customer: it imports what a user's program could, by published front doors.",
  demoServer: "The demo is a customer: it meets the server over TLS and never imports it.",
  library: "A library stays behind its one adapter.",
  unknownPackage: "A package has its row in the doors table before its first file.",
} as const;
