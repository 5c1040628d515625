/**
 * Who may call which route: one check before any route runs, its body is read or its path exists.
 *
 * Every route carries its permission from the route table; a route registered without one stops the start.
 * Deny by default: only a route that says "public" is open.
 */
import type { Clock, Sha256 } from "@mayfly/core";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type AdminAdmission, admitAdminToken } from "../registry/admin-token.ts";
import { permissions } from "../registry/permission.ts";
import type { RegistryStore } from "../registry/store.ts";
import { ApiError } from "./api-error.ts";
import { isLoopbackRequest } from "./loopback.ts";
import type { Route } from "./route.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    permission?: Route["permission"];
    opensOnLoopback?: boolean;
  }
}

/** Installs the check. Must run before the first route is added. */
export function requirePermissions(
  app: FastifyInstance,
  ports: {
    readonly store: Pick<RegistryStore, "findAdminToken">;
    readonly clock: Clock;
    readonly sha256: Sha256;
  },
): void {
  app.addHook("onRoute", (route) => {
    const permission = route.config?.permission;
    if (permission !== "public" && !permissions.some((one) => one === permission)) {
      throw new Error(`route ${String(route.method)} ${route.url} is registered without a permission`);
    }
  });

  app.addHook("onRequest", async (request) => {
    // A path without a route has no permission to ask for; it is answered 404 or 405.
    if (request.is404) return;
    const { permission, opensOnLoopback } = request.routeOptions.config;
    if (permission === "public") return;
    const isLoopback = isLoopbackRequest(request);
    if (opensOnLoopback === true && isLoopback) return;
    const token = findBearerToken(request);
    if (token === undefined) {
      throw unauthenticated(
        "Request is missing required authentication credential: a bearer token is expected.",
      );
    }
    const admission = await admitAdminToken(ports, token, isLoopback);
    if (admission.kind === "refused") throw refusals[admission.because]();
    if (!permissions.some((one) => one === permission && admission.permissions.has(one))) {
      throw new ApiError("PERMISSION_DENIED", `Permission '${permission}' denied.`);
    }
  });
}

/** The token of an `Authorization: Bearer …` header (RFC 6750 §2.1). */
export function findBearerToken(request: Pick<FastifyRequest, "headers">): string | undefined {
  const header = request.headers.authorization;
  if (header === undefined) return undefined;
  const [, token] = /^bearer +([^ ]+) *$/i.exec(header) ?? [];
  return token;
}

const refusals = {
  unknown: () => unauthenticated("Request had invalid authentication credentials."),
  expired: () =>
    unauthenticated(
      "The admin token has expired. `mayfly admin-token new` on the server's machine makes another.",
    ),
  not_loopback: () =>
    new ApiError(
      "PERMISSION_DENIED",
      "This admin token is good from the server's own machine only (loopback).",
    ),
} satisfies Record<Extract<AdminAdmission, { kind: "refused" }>["because"], () => ApiError>;

function unauthenticated(message: string): ApiError {
  return new ApiError("UNAUTHENTICATED", message, { headers: { "www-authenticate": "Bearer" } });
}
