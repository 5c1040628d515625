/**
 * The first admin token: made once, at the first start, for whoever sits at this machine.
 *
 * It is good from loopback only and for 24 hours; the registry keeps its SHA-256, the data folder a copy that
 * only its owner can read. After that, `mayfly admin-token new` on the host is the way back in.
 */
import { createHash, randomBytes } from "node:crypto";
import type { AdminTokenRecord, RegistryStore } from "../registry/store.ts";
import { type DataFolder, writeOwnerOnly } from "./data-folder.ts";

export const bootstrapTokenLifetimeMillis = 24 * 3_600_000;

/** A fresh admin token: 32 random bytes behind a prefix that secret scanners can learn. */
export function makeAdminToken(): string {
  return `mayfly_${randomBytes(32).toString("base64url")}`;
}

/** SHA-256, hexadecimal: what the registry keeps. The token has 256 bits of its own, so no salt and no stretching. */
export function hashAdminToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Makes the bootstrap token when the registry knows no admin token at all; later starts leave things as they are. */
export async function ensureBootstrapToken(
  store: Pick<RegistryStore, "listAdminTokens" | "addAdminToken">,
  folder: DataFolder,
  nowMs: number,
): Promise<void> {
  if ((await store.listAdminTokens()).length > 0) return;
  const token = makeAdminToken();
  const record: AdminTokenRecord = {
    hash: hashAdminToken(token),
    name: "bootstrap",
    loopbackOnly: true,
    createdMs: nowMs,
    expiresMs: nowMs + bootstrapTokenLifetimeMillis,
  };
  // The file first: a crash in between leaves a useless file to overwrite, never a token nobody can read.
  await writeOwnerOnly(folder.adminTokenFile, `${token}\n`);
  await store.addAdminToken(record);
}
