/**
 * Admin tokens: who calls the admin API, and what they may do.
 *
 * What is kept of a token is its SHA-256, and a caller is found by that hash: no comparison of secrets takes
 * place, so none can leak by its timing. The token has 256 bits of its own; no salt, no stretching.
 *
 * Left to others: making tokens (`host/bootstrap-token.ts`), principals with fewer rights.
 */
import type { Clock, Sha256 } from "@mayfly/core";
import { hexEncode, utf8Encode } from "@mayfly/core";
import { type Permission, permissions } from "./permission.ts";
import type { RegistryStore } from "./store.ts";

/** Longer text is no token of ours and is not hashed. */
export const ADMIN_TOKEN_CHARACTERS_MAX = 128;

export type AdminAdmission =
  | { readonly kind: "admitted"; readonly name: string; readonly permissions: ReadonlySet<Permission> }
  | { readonly kind: "refused"; readonly because: "unknown" | "expired" | "not_loopback" };

const allPermissions: ReadonlySet<Permission> = new Set(permissions);

/** @param isLoopback Whether the connection comes from this machine. */
export async function admitAdminToken(
  ports: {
    readonly store: Pick<RegistryStore, "findAdminToken">;
    readonly clock: Clock;
    readonly sha256: Sha256;
  },
  token: string,
  isLoopback: boolean,
): Promise<AdminAdmission> {
  if (token.length === 0 || token.length > ADMIN_TOKEN_CHARACTERS_MAX) {
    return { kind: "refused", because: "unknown" };
  }
  const record = await ports.store.findAdminToken(hexEncode(ports.sha256.digest(utf8Encode(token))));
  if (record === undefined) return { kind: "refused", because: "unknown" };
  if (record.expiresMs !== undefined && ports.clock.wallSeconds() * 1000 >= record.expiresMs) {
    return { kind: "refused", because: "expired" };
  }
  if (record.loopbackOnly && !isLoopback) return { kind: "refused", because: "not_loopback" };
  return { kind: "admitted", name: record.name, permissions: allPermissions };
}
