/**
 * `mayfly time-key`: the keys of signed time. Two roots that stay offline, and the online key they delegate to.
 *
 * A root is needed for one command once a month; the rest of the time it lies where no network reaches. What devices
 * pin are the public keys of both roots, so that losing one costs no device its trust.
 */
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { CommandFailure } from "../failure.ts";
import { newCommand, newGroup, outputOf, required, wholeNumber } from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import { DATA_FOLDER_DEFAULT, findEndpointsFolder } from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import { fileExists, readText, writeNewSecret, writeSecret } from "../host/files.ts";
import { findTimeKey, timeKeyFileOf, usable } from "../host/time-key.ts";
import { pinOf, pinsOf, type TimePin } from "../host/time-pins.ts";
import { formatRelative } from "../output.ts";

/** A delegation's longest life; every device refuses a longer one. */
const DAYS_MAX = 30;
const DAY_SECONDS = 86_400;

interface InitFlags {
  readonly json?: true;
  readonly out: string;
}

interface DelegateFlags {
  readonly json?: true;
  readonly root: string;
  readonly days: number;
  readonly data?: string;
}

interface ShowFlags {
  readonly json?: true;
  readonly pins?: string;
  readonly data?: string;
}

export function addTimeKeyCommands(program: Command): void {
  const group = newGroup(
    "time-key",
    "keys of signed time: offline roots, and the online key they delegate to",
  );
  program.addCommand(group);
  group.addCommand(
    newCommand("init", "make the two roots, current and next, to be carried away; print their pins")
      .option("--out <DIR>", required("folder for the roots, off the server"))
      .action(init),
  );
  group.addCommand(
    newCommand("delegate", "make an online key and have a root delegate to it, for the data folder")
      .option("--root <FILE>", required("private key of a root, PEM"))
      .option("--days <N>", `how long, 1 to ${DAYS_MAX}`, wholeNumber(1, DAYS_MAX), DAYS_MAX)
      .option("--data <DIR>", "data folder (or MAYFLY_DATA; default mayfly-data)")
      .action(delegate),
  );
  group.addCommand(
    newCommand("show", "print pins, and what the online key may say until when")
      .option("--pins <FILE>", "pins as init wrote them (default: the root of the delegation)")
      .option("--data <DIR>", "data folder (or MAYFLY_DATA; default mayfly-data)")
      .action(show),
  );
}

async function init(flags: InitFlags): Promise<void> {
  const folder = resolve(flags.out);
  const files = {
    current: join(folder, "time-root-current.key.pem"),
    next: join(folder, "time-root-next.key.pem"),
    pins: join(folder, "time-pins.pem"),
  };
  const present = Object.values(files).find(fileExists);
  if (present !== undefined) {
    throw new CommandFailure("file_unwritable", `${present} is there already; roots are never overwritten`);
  }
  const { makeTimeRoot } = await import("@mayfly/server/node");
  const [current, next] = [makeTimeRoot(), makeTimeRoot()];
  await writeNewSecret(files.current, current.privatePem);
  await writeNewSecret(files.next, next.privatePem);
  await writeNewSecret(files.pins, current.publicPem + next.publicPem);
  const pins = pinsOf(current.publicPem + next.publicPem, files.pins);
  outputOf(flags).result({ files, pins }, () =>
    [
      ...pins.map((pin, index) => describePin(index === 0 ? "current" : "next", pin)),
      `the roots are in ${folder}: carry the two keys away, to two places, and give devices both pins`,
    ].join("\n"),
  );
}

async function delegate(flags: DelegateFlags): Promise<void> {
  const { makeTimeKeyFile, parseTimeKeyFile } = await import("@mayfly/server/node");
  const rootPem = await readText(flags.root);
  const text = usable(flags.root, () =>
    makeTimeKeyFile({
      rootPem,
      nowMillis: wallSeconds() * 1000,
      lifetimeMillis: flags.days * DAY_SECONDS * 1000,
    }),
  );
  const file = await timeKeyFileOf(await folderOf(flags));
  await writeSecret(file, text);
  const { bounds, root } = parseTimeKeyFile(text);
  const notAfter = instantOf(bounds.notAfterMillis);
  outputOf(flags).result(
    { file, notBefore: instantOf(bounds.notBeforeMillis), notAfter, root: pinOf(root) },
    () => `${file} holds an online key until ${notAfter}; a running server takes it within a minute`,
  );
}

async function show(flags: ShowFlags): Promise<void> {
  const file = await timeKeyFileOf(await folderOf(flags));
  const delegation = await findDelegation(file);
  const pins = flags.pins === undefined ? [] : pinsOf(await readText(flags.pins), flags.pins);
  if (delegation === undefined && pins.length === 0) {
    throw new CommandFailure(
      "not_configured",
      `there is no ${file}; \`mayfly time-key delegate\` makes it, \`mayfly time-key init\` the roots before`,
    );
  }
  const marked = (flags.pins === undefined && delegation !== undefined ? [delegation.root] : pins).map(
    (pin) => ({ ...pin, delegates: pin.publicKey === delegation?.root.publicKey }),
  );
  const output = outputOf(flags);
  output.result({ pins: marked, delegation: delegation ?? null }, () =>
    [
      ...marked.map((pin) => describePin(pin.delegates ? "root, which delegates" : "root", pin)),
      delegation === undefined
        ? `no online key in ${file}`
        : `online key: from ${delegation.notBefore} to ${delegation.notAfter}, ${endOf(delegation)}`,
    ].join("\n"),
  );
  if (delegation !== undefined && !marked.some(({ delegates }) => delegates)) {
    output.remark(
      "the online key is delegated by none of these roots: devices that pin them refuse its time",
    );
  }
}

interface ShownDelegation {
  readonly root: TimePin;
  readonly onlineKey: TimePin;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly secondsLeft: number;
}

async function findDelegation(file: string): Promise<ShownDelegation | undefined> {
  const found = await findTimeKey(file);
  if (found === undefined) return undefined;
  const { bounds, root } = found;
  return {
    root: pinOf(root),
    onlineKey: pinOf(bounds.publicKey),
    notBefore: instantOf(bounds.notBeforeMillis),
    notAfter: instantOf(bounds.notAfterMillis),
    secondsLeft: Math.floor(bounds.notAfterMillis / 1000 - wallSeconds()),
  };
}

function endOf({ secondsLeft }: ShownDelegation): string {
  return secondsLeft > 0 ? `which is ${formatRelative(secondsLeft)}` : "which is over: no time is signed";
}

function describePin(role: string, { publicKey, fingerprint, pem }: TimePin): string {
  return `${role}\n  pin X‖Y            ${publicKey}\n  SHA-256 of SPKI    ${fingerprint}\n${pem.trim()}`;
}

async function folderOf(flags: { readonly data?: string }): Promise<string> {
  return flags.data ?? environmentSettings().data ?? (await findEndpointsFolder()) ?? DATA_FOLDER_DEFAULT;
}

function instantOf(millis: number): string {
  return new Date(millis).toISOString();
}
