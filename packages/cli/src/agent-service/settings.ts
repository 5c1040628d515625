/**
 * Settings of `mayfly agent --config FILE`: one JSON object, read whole before anything starts.
 *
 * Every file and folder in it may be relative: to the folder the settings file lies in, not to wherever the service
 * was started. What is absent has the default said here; what is unknown is refused, since it is mistyped.
 *
 * Left to others: what the agent itself does not run with (`AgentOptionError`), and whether the files are there.
 */
import { isAbsolute, join } from "node:path";
import { parseDeviceName } from "@mayfly/core";
import type { ChipPlace } from "../chip-flags.ts";
import { parseChipPlace } from "../chip-flags.ts";
import { durationSeconds, instantSeconds } from "../flags.ts";
import { Fields } from "./fields.ts";

export interface AgentServiceSettings {
  readonly name: {
    readonly project: string;
    readonly location: string;
    readonly registry: string;
    readonly device: string;
  };
  readonly bridge: {
    readonly host: string;
    readonly port: number;
    /** PEM file. */
    readonly ca: string;
    readonly servername?: string;
    readonly mqtt: 4 | 5;
    readonly keepAliveSeconds: number;
  };
  /** 1 to 3; the first is the one a device starts with. */
  readonly keys: readonly KeySettings[];
  /** Spare slots of the first key's chip may get new keys, attested by this slot. */
  readonly makeKeys?: { readonly attestationSlot: number };
  readonly lifetimeSeconds: number;
  readonly lifetimeFloorSeconds: number;
  readonly stateFolder: string;
  readonly outbox: {
    readonly messagesMax: number;
    readonly bytesMax: number;
    readonly whenFull: "refuse" | "drop-oldest";
    readonly isEnveloped: boolean;
  };
  readonly time: TimeSettings;
  readonly api: { readonly socket: string; readonly mode: number };
  readonly metrics?: { readonly host: string; readonly port: number };
  readonly logLevel: LogLevel;
}

export type KeySettings =
  | { readonly kind: "file"; readonly slot: number; readonly file: string }
  | {
      readonly kind: "chip";
      readonly slot: number;
      readonly bus: "i2c" | "socket";
      readonly place: ChipPlace;
    };

export type TimeSettings =
  /** The machine's clock, which its operating system keeps. */
  | { readonly kind: "machine" }
  /** The agent keeps time by itself. */
  | {
      readonly kind: "own";
      readonly ntp: readonly { readonly host: string; readonly port: number }[];
      /** `httpsPort`: asked where UDP brings nothing. */
      readonly signed?: {
        readonly host: string;
        readonly port: number;
        readonly httpsPort?: number;
        readonly pins: string;
      };
      /** No earlier time is believed; unsigned, none a day later. */
      readonly floorSeconds?: number;
      readonly rtc?: { readonly bus: "i2c" | "socket"; readonly path: string };
      readonly disciplinesAging: boolean;
    };

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

const KEYS_MAX = 3;
const NTP_SERVERS_MAX = 4;
const NTP_PORT = 123;
const SIGNED_TIME_PORT = 8_037;
const MIB = 1024 * 1024;

/**
 * @param text JSON. @param folder What relative paths are relative to.
 * @throws {CommandFailure} settings_invalid: says which field and why.
 */
export function parseAgentServiceSettings(text: string, folder: string): AgentServiceSettings {
  const place = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  const all = new Fields(parseJson(text), "");

  const name = all.read("device", parseDeviceName);
  if (name === undefined)
    throw all.fail("device", "is missing: projects/P/locations/L/registries/R/devices/D");
  const settings: AgentServiceSettings = {
    name,
    bridge: readBridge(all.object("bridge"), place),
    keys: readKeys(all, place),
    ...readMakeKeys(all.findObject("makeKeys")),
    ...readLifetime(all),
    stateFolder: place(all.text("stateFolder")),
    outbox: readOutbox(all.findObject("outbox") ?? new Fields({}, "outbox")),
    time: readTime(all.findObject("time"), all, place),
    api: readApi(all.findObject("api") ?? new Fields({}, "api"), place),
    ...readMetrics(all.findObject("metrics")),
    logLevel: all.oneOf("logLevel", logLevels, "info"),
  };
  all.end();
  return settings;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own sentence quotes the text, and a key might have been pasted into it.
    throw new Fields({}, "").fail("the file", "is not JSON");
  }
}

function readBridge(fields: Fields, place: (path: string) => string): AgentServiceSettings["bridge"] {
  const servername = fields.findText("servername");
  const bridge = {
    host: fields.text("host"),
    port: fields.findWholeNumber("port", 1, 65_535) ?? 8_883,
    ca: place(fields.text("ca")),
    ...(servername === undefined ? undefined : { servername }),
    mqtt: fields.oneOf<4 | 5>("mqtt", [4, 5], 5),
    keepAliveSeconds: fields.findWholeNumber("keepAliveSeconds", 5, 1_200) ?? 60,
  };
  fields.end();
  return bridge;
}

function readKeys(all: Fields, place: (path: string) => string): readonly KeySettings[] {
  const keys = all.objects("keys", 1, KEYS_MAX).map((fields): KeySettings => {
    const slot = fields.wholeNumber("slot", 0, 15);
    const file = fields.findText("file");
    const i2c = fields.read("i2c", parseChipPlace);
    const socket = fields.read("socket", parseChipPlace);
    fields.end();
    if ([file, i2c, socket].filter((one) => one !== undefined).length !== 1) {
      throw fields.fail("file", "or i2c or socket must say where the key is, and only one of them");
    }
    if (file !== undefined) return { kind: "file", slot, file: place(file) };
    if (i2c !== undefined) return { kind: "chip", slot, bus: "i2c", place: i2c };
    if (socket === undefined) throw fields.fail("socket", "is missing");
    return { kind: "chip", slot, bus: "socket", place: placeOfSocket(socket, place) };
  });
  if (new Set(keys.map(({ slot }) => slot)).size !== keys.length) {
    throw all.fail("keys", "must be in different slots");
  }
  return keys;
}

function readMakeKeys(fields: Fields | undefined): Pick<AgentServiceSettings, "makeKeys"> {
  if (fields === undefined) return {};
  const attestationSlot = fields.findWholeNumber("attestationSlot", 0, 15) ?? 1;
  fields.end();
  return { makeKeys: { attestationSlot } };
}

/** A socket is a path or `host:port`; only a path can be relative. */
function placeOfSocket(chip: ChipPlace, place: (path: string) => string): ChipPlace {
  return { ...chip, bus: placeOfBus(chip.bus, place) };
}

function placeOfBus(bus: string, place: (path: string) => string): string {
  return /^[^/]+:\d+$/.test(bus) ? bus : place(bus);
}

function readLifetime(all: Fields): Pick<AgentServiceSettings, "lifetimeSeconds" | "lifetimeFloorSeconds"> {
  const lifetimeSeconds = all.read("tokenLifetime", durationSeconds) ?? 3_600;
  const lifetimeFloorSeconds = all.findWholeNumber("lifetimeFloorSeconds", 10, 86_400) ?? 3_600;
  if (lifetimeSeconds < lifetimeFloorSeconds) {
    throw all.fail("tokenLifetime", `must be ${lifetimeFloorSeconds} s or more (lifetimeFloorSeconds)`);
  }
  return { lifetimeSeconds, lifetimeFloorSeconds };
}

function readOutbox(fields: Fields): AgentServiceSettings["outbox"] {
  const outbox = {
    messagesMax: fields.findWholeNumber("messagesMax", 1, 100_000) ?? 100_000,
    bytesMax: fields.findWholeNumber("bytesMax", 1, 64 * MIB) ?? 16 * MIB,
    whenFull: fields.oneOf("whenFull", ["refuse", "drop-oldest"] as const, "refuse"),
    isEnveloped: fields.flag("envelope", false),
  };
  fields.end();
  return outbox;
}

function readTime(fields: Fields | undefined, all: Fields, place: (path: string) => string): TimeSettings {
  if (fields === undefined) return { kind: "machine" };
  const source = fields.oneOf("source", ["machine", "own"] as const, "own");
  const ntp = fields.texts("ntp", NTP_SERVERS_MAX).map((text) => {
    const peer = findHostAndPort(text, NTP_PORT);
    if (peer === undefined) throw fields.fail("ntp", `has "${text}", which is no host or host:port`);
    return peer;
  });
  const signedFields = fields.findObject("signed");
  const rtcFields = fields.findObject("rtc");
  const disciplinesAging = fields.flag("agingDiscipline", false);
  const floorSeconds = fields.read("floor", instantSeconds);
  fields.end();

  if (source === "machine") {
    if (ntp.length > 0 || signedFields !== undefined || rtcFields !== undefined) {
      throw all.fail(
        "time.source",
        "machine leaves ntp, signed and rtc to the operating system: take them out",
      );
    }
    return { kind: "machine" };
  }
  if (ntp.length === 0 && signedFields === undefined && rtcFields === undefined) {
    throw all.fail("time", "needs ntp, signed or rtc: a clock nobody tells is not believed");
  }
  return {
    kind: "own",
    ntp,
    ...(signedFields === undefined ? undefined : { signed: readSigned(signedFields, place) }),
    ...(rtcFields === undefined ? undefined : { rtc: readRtc(rtcFields, place) }),
    disciplinesAging,
    ...(floorSeconds === undefined ? undefined : { floorSeconds }),
  };
}

function readSigned(
  fields: Fields,
  place: (path: string) => string,
): NonNullable<Extract<TimeSettings, { kind: "own" }>["signed"]> {
  const httpsPort = fields.findWholeNumber("httpsPort", 1, 65_535);
  const signed = {
    host: fields.text("host"),
    port: fields.findWholeNumber("port", 1, 65_535) ?? SIGNED_TIME_PORT,
    pins: place(fields.text("pins")),
    ...(httpsPort === undefined ? undefined : { httpsPort }),
  };
  fields.end();
  return signed;
}

function readRtc(
  fields: Fields,
  place: (path: string) => string,
): { readonly bus: "i2c" | "socket"; readonly path: string } {
  const i2c = fields.findText("i2c");
  const socket = fields.findText("socket");
  fields.end();
  if ((i2c === undefined) === (socket === undefined)) {
    throw fields.fail("i2c", "or socket must say where the clock chip is, and only one of them");
  }
  return i2c === undefined
    ? { bus: "socket", path: placeOfBus(socket ?? "", place) }
    : { bus: "i2c", path: i2c };
}

function readApi(fields: Fields, place: (path: string) => string): AgentServiceSettings["api"] {
  // Whoever may write to the socket may speak for the device.
  const mode = fields.oneOf("mode", ["0600", "0660", "0666"] as const, "0600");
  const api = { socket: place(fields.findText("socket") ?? "agent.sock"), mode: Number.parseInt(mode, 8) };
  fields.end();
  return api;
}

function readMetrics(fields: Fields | undefined): Pick<AgentServiceSettings, "metrics"> {
  if (fields === undefined) return {};
  const metrics = {
    host: fields.findText("host") ?? "127.0.0.1",
    port: fields.wholeNumber("port", 0, 65_535),
  };
  fields.end();
  return { metrics };
}

/** `host`, `host:port`, `[v6]:port` or a bare IPv6 address. */
export function findHostAndPort(
  text: string,
  portDefault: number,
): { readonly host: string; readonly port: number } | undefined {
  if (/^[0-9a-f:.]+$/i.test(text) && text.split(":").length > 2) return { host: text, port: portDefault };
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/[\]\s]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? portDefault : Number(match[3]);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
