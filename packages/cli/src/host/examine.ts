/**
 * Facts for the doctor: versions, permissions, disk space, listeners and their certificates.
 */
import { existsSync } from "node:fs";
import { lstat, readdir, statfs } from "node:fs/promises";
import { request } from "node:https";
import { dirname, join } from "node:path";
import { connect } from "node:tls";
import type { FolderFacts } from "../doctor-checks.ts";

const ANSWER_MILLIS_MAX = 5_000;
/** Of an answer; the rest is not kept. */
const BODY_CHARACTERS_MAX = 65_536;
/** Entries of the data folder looked at; secrets lie near its top. */
const ENTRIES_MAX = 10_000;
/** Public by purpose. */
const publicNames = new Set(["ca.pem"]);

export function nodeVersion(): string {
  return process.versions.node;
}

export function sqliteVersion(): string | undefined {
  return process.versions["sqlite"];
}

export async function examineFolder(path: string): Promise<FolderFacts> {
  if (!existsSync(path)) return { path, exists: false, open: [], isOwn: true };
  const folder = await lstat(path);
  const isOwn = process.getuid === undefined || folder.uid === process.getuid();
  if ((folder.mode & 0o077) !== 0) return { path, exists: true, open: ["."], isOwn };
  if (!isOwn) return { path, exists: true, open: [], isOwn };
  // Behind a closed folder nothing is open; the entries are looked at all the same, for a backup keeps modes.
  const open: string[] = [];
  const entries = await readdir(path, { recursive: true });
  for (const entry of entries.slice(0, ENTRIES_MAX)) {
    const facts = await lstat(join(path, entry)).catch(() => undefined);
    if (facts?.isFile() === true && (facts.mode & 0o077) !== 0 && !publicNames.has(entry)) open.push(entry);
  }
  return { path, exists: true, open, isOwn };
}

/** @returns The folder in which the server left the second root's key to be carried away, where it is still there. */
export function findCarryAway(folder: string): string | undefined {
  const carryAway = join(folder, "identity", "carry-away");
  return existsSync(carryAway) ? carryAway : undefined;
}

/** Bytes this user may still write where `path` is or would be. */
export async function freeBytes(path: string): Promise<number> {
  let existing = path;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const facts = await statfs(existing);
  return facts.bavail * facts.bsize;
}

/** Opens TLS to a listener with the given roots. @returns The certificate's end in epoch milliseconds. Rejects with the socket's error. */
export function examineTls(
  target: { readonly host: string; readonly port: number },
  ca: string | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...target, ...(ca === undefined ? {} : { ca }) });
    socket.setTimeout(ANSWER_MILLIS_MAX, () => socket.destroy(new Error("no answer within 5 s")));
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const until = Date.parse(socket.getPeerCertificate().valid_to);
      socket.destroy();
      resolve(until);
    });
  });
}

/** GETs a URL. @returns Status, the server's clock in epoch milliseconds (NaN where it did not say), and the beginning of the body. */
export function examineHttps(
  url: string,
  ca: string | undefined,
): Promise<{ readonly status: number; readonly dateMillis: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, ...(ca === undefined ? {} : { ca }) }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        body = (body + chunk).slice(0, BODY_CHARACTERS_MAX);
      });
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, dateMillis: Date.parse(answer.headers.date ?? ""), body }),
      );
    });
    outgoing.setTimeout(ANSWER_MILLIS_MAX, () => outgoing.destroy(new Error("no answer within 5 s")));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
