/**
 * The admin API: Cloud IoT Core's v1 REST for registries and devices, pull subscriptions in Pub/Sub's shape,
 * Mayfly's own routes, health and metrics; HTTP/2 and HTTP/1.1 on one TLS listener.
 *
 * All routes are one table with a permission each (`route.ts`, `authorization.ts`). The host listens.
 */
import type { TlsOptions } from "node:tls";
import type { Clock, Sha256, Timers } from "@mayfly/core";
import { type FastifyInstance, fastify } from "fastify";
import type { Bridge } from "../mqtt/bridge.ts";
import type { KeyParser } from "../registry/key-parser.ts";
import type { RegistryService } from "../registry/service.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { Backbone } from "../telemetry/backbone.ts";
import type { DeviceRates } from "../telemetry/device-rates.ts";
import { requirePermissions } from "./authorization.ts";
import { deviceRoutes } from "./device-routes.ts";
import {
  addRoutes,
  answerErrors,
  commonOptions,
  type OnInternalError,
  takeJsonBodies,
} from "./fastify-app.ts";
import { gatewayRoutes } from "./gateway-routes.ts";
import { type Health, healthRoutes } from "./health.ts";
import { isLoopbackRequest } from "./loopback.ts";
import { mayflyRoutes } from "./mayfly-routes.ts";
import { type MetricsText, metricsRoutes } from "./metrics-route.ts";
import { createPuller, type Puller } from "./puller.ts";
import { registryRoutes } from "./registry-routes.ts";
import type { Route } from "./route.ts";
import { subscriptionRoutes } from "./subscription-routes.ts";
import { createTails, type Tails } from "./tail.ts";

/** Above the largest body there is a use for: a 256 KiB command in base64, or 256 KiB of metadata in escapes. */
export const ADMIN_BODY_BYTES_MAX = 1024 * 1024;
/** Room for a list call that names thousands of devices. */
export const ADMIN_HEADER_BYTES_MAX = 256 * 1024;

/** Connections at once; one more is closed. */
export const ADMIN_CONNECTIONS_MAX = 1_000;

export interface AdminApiPorts {
  readonly service: RegistryService;
  readonly keyParser: KeyParser;
  readonly store: Pick<RegistryStore, "findAdminToken">;
  readonly backbone: Backbone;
  readonly bridge: Pick<Bridge, "sendCommand" | "findSession">;
  readonly rates: DeviceRates;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sha256: Sha256;
  readonly health: Health;
  readonly metrics: MetricsText;
  readonly onInternalError: OnInternalError;
}

export interface AdminApiOptions {
  /** Absent: plain HTTP, for tests by injection. */
  readonly tls?: TlsOptions;
}

/** @returns A Fastify app that is not listening yet. Closing it ends long polls and tails. */
export function createAdminApi(ports: AdminApiPorts, options: AdminApiOptions = {}): FastifyInstance {
  const common = commonOptions(ADMIN_BODY_BYTES_MAX, JSON.stringify);
  const http = { maxHeaderSize: ADMIN_HEADER_BYTES_MAX };
  // Fastify types each kind of server apart; what is used of the app here and outside is the same in all.
  const app = (options.tls === undefined
    ? fastify({ ...common, http })
    : fastify({
        ...(common as object),
        http2: true as const,
        https: { ...options.tls, ...http, allowHTTP1: true },
      })) as unknown as FastifyInstance;

  app.server.maxConnections = ADMIN_CONNECTIONS_MAX;

  const puller = createPuller(ports);
  const tails = createTails(ports);
  app.addHook("preClose", async () => {
    puller.close();
    tails.close();
  });

  requirePermissions(app, ports);
  takeJsonBodies(app);
  answerErrors(app, JSON.stringify, ports.onInternalError);
  addRoutes(app, adminRoutes(ports, puller, tails), JSON.stringify);
  return app;
}

/** The whole table. `docs/reference/admin-api.md` is held to it by a test. */
export function adminRoutes(ports: AdminApiPorts, puller: Puller, tails: Tails): readonly Route[] {
  return [
    ...registryRoutes(ports),
    ...deviceRoutes(ports),
    ...gatewayRoutes(ports),
    ...subscriptionRoutes({ ...ports, puller }),
    ...mayflyRoutes({ ...ports, tails }),
    ...healthRoutes(ports.health, isLoopbackRequest),
    ...metricsRoutes(ports.metrics),
  ];
}
