/**
 * `mayfly admin-token`: make, list and revoke admin tokens on the server's own machine.
 *
 * It works on the data folder's registry file, beside a running server or without one: whoever may write that
 * file is an administrator already. So this is the way back in when every token has expired or is lost.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { CommandFailure } from "../failure.ts";
import { durationSeconds, newCommand, newGroup, outputOf } from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import { DATA_FOLDER_DEFAULT, findEndpointsFolder } from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import { fileExists, writeSecret } from "../host/files.ts";
import { formatTable } from "../output.ts";

/** Shown of a token's hash, and enough to name it. */
const SHORT_HASH_DIGITS = 12;

interface FolderFlags {
  readonly json?: true;
  readonly data?: string;
}

interface NewFlags extends FolderFlags {
  readonly name: string;
  readonly lifetime?: number;
  readonly loopbackOnly?: true;
  readonly save?: true;
}

type ServerDoor = typeof import("@mayfly/server/node");
type Store = Awaited<ReturnType<ServerDoor["openSqliteRegistryStore"]>>;

export function addAdminTokenCommands(program: Command): void {
  const group = newGroup("admin-token", "admin tokens, made and revoked on the server's own machine");
  program.addCommand(group);
  group.addCommand(
    folderCommand("new", "make an admin token and print it, this once")
      .option("--name <NAME>", "what it is for, shown in lists", "admin")
      .option("--lifetime <DURATION>", "such as 8h or 90d (default: until it is revoked)", durationSeconds)
      .option("--loopback-only", "good from this machine only")
      .option(
        "--save",
        "keep it in the data folder, for the commands on this machine, instead of printing it",
      )
      .action(create),
  );
  group.addCommand(folderCommand("list", "list admin tokens, without the tokens themselves").action(list));
  group.addCommand(
    folderCommand("revoke", "make an admin token worthless at once")
      .argument("HASH", "its hash, or the beginning of it that fits one token only")
      .action(revoke),
  );
}

function folderCommand(name: string, summary: string): Command {
  return newCommand(name, summary).option(
    "--data <DIR>",
    "data folder (or MAYFLY_DATA; default mayfly-data)",
  );
}

async function create(flags: NewFlags): Promise<void> {
  const folder = await dataFolderOf(flags);
  await withStore(folder, async (store, door) => {
    const token = door.makeAdminToken();
    const createdMs = Math.floor(wallSeconds() * 1000);
    const expiresMs = flags.lifetime === undefined ? undefined : createdMs + flags.lifetime * 1000;
    const hash = door.hashAdminToken(token);
    const file = door.dataFolderPaths(folder).adminTokenFile;
    // The file first: a crash in between leaves a token nobody takes, never one nobody has.
    if (flags.save === true) await writeSecret(file, `${token}\n`);
    await store.addAdminToken({
      hash,
      name: flags.name,
      loopbackOnly: flags.loopbackOnly === true,
      createdMs,
      ...(expiresMs === undefined ? {} : { expiresMs }),
    });
    const facts = { hash, name: flags.name, expires: instantOf(expiresMs) };
    outputOf(flags).result(flags.save === true ? { ...facts, file } : { token, ...facts }, () =>
      flags.save === true ? `saved in ${file}` : token,
    );
  });
}

async function list(flags: FolderFlags): Promise<void> {
  await withStore(await dataFolderOf(flags), async (store) => {
    const tokens = (await store.listAdminTokens()).map((record) => ({
      hash: record.hash,
      name: record.name,
      loopbackOnly: record.loopbackOnly,
      created: instantOf(record.createdMs),
      expires: instantOf(record.expiresMs),
      expired: record.expiresMs !== undefined && record.expiresMs <= wallSeconds() * 1000,
    }));
    outputOf(flags).result({ tokens }, () =>
      tokens.length === 0
        ? "no admin tokens; `mayfly admin-token new` makes one"
        : formatTable(
            ["HASH", "NAME", "FROM", "CREATED", "EXPIRES"],
            tokens.map((token) => [
              token.hash.slice(0, SHORT_HASH_DIGITS),
              token.name,
              token.loopbackOnly ? "this machine" : "anywhere",
              token.created ?? "-",
              token.expires === undefined ? "never" : `${token.expires}${token.expired ? " (expired)" : ""}`,
            ]),
          ),
    );
  });
}

async function revoke(given: string, flags: FolderFlags): Promise<void> {
  await withStore(await dataFolderOf(flags), async (store) => {
    const fitting = (await store.listAdminTokens()).filter(({ hash }) => hash.startsWith(given));
    const [only] = fitting;
    if (only === undefined || fitting.length > 1) {
      throw new CommandFailure(
        "usage",
        `${given} fits ${fitting.length} admin tokens; see \`mayfly admin-token list\``,
      );
    }
    await store.removeAdminToken(only.hash);
    outputOf(flags).result(
      { revoked: only.hash, name: only.name },
      () => `revoked ${only.name} (${only.hash.slice(0, SHORT_HASH_DIGITS)})`,
    );
  });
}

async function dataFolderOf(flags: FolderFlags): Promise<string> {
  return resolve(
    flags.data ?? environmentSettings().data ?? (await findEndpointsFolder()) ?? DATA_FOLDER_DEFAULT,
  );
}

async function withStore(
  folder: string,
  run: (store: Store, door: ServerDoor) => Promise<void>,
): Promise<void> {
  const door = await import("@mayfly/server/node");
  const file = door.dataFolderPaths(folder).registryFile;
  if (!fileExists(file)) {
    throw new CommandFailure(
      "not_configured",
      `${folder} is no data folder of a server; start \`mayfly serve\` once, or name another with --data`,
    );
  }
  const store = await door.openSqliteRegistryStore({
    file,
    exclusive: "tool",
    clock: door.systemClock,
    timers: door.systemTimers,
    random: door.systemRandom,
  });
  try {
    await run(store, door);
  } finally {
    await store.close();
  }
}

function instantOf(millis: number | undefined): string | undefined {
  return millis === undefined ? undefined : new Date(millis).toISOString();
}
