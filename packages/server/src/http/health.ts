/**
 * Health: `/healthz` says whether what this process answers can be relied on, `/readyz` whether to send it work.
 *
 * Both are open to anybody who reaches the listener, so they say which part is ill, and why only to this machine.
 */
import type { FastifyRequest } from "fastify";
import type { Call, Route } from "./route.ts";

export interface HealthCheck {
  /** `registry`, `backbone`, … */
  readonly name: string;
  readonly healthy: boolean;
  /** A sentence for an operator when not healthy, or when well but in doubt. */
  readonly because?: string;
}

/** Port: what the host knows of its parts. */
export interface Health {
  checks(): readonly HealthCheck[];
  /** Past its start and not draining. */
  isServing(): boolean;
}

export function healthRoutes(
  health: Health,
  isLoopback: (request: FastifyRequest) => boolean,
): readonly Route[] {
  function report(call: Call, isGood: boolean) {
    call.reply.code(isGood ? 200 : 503).header("cache-control", "no-store");
    const tellsWhy = isLoopback(call.request);
    return {
      status: isGood ? "ok" : "unavailable",
      checks: health.checks().map((check) => ({
        name: check.name,
        healthy: check.healthy,
        ...(tellsWhy && check.because !== undefined ? { because: check.because } : {}),
      })),
    };
  }
  const areAllHealthy = () => health.checks().every((check) => check.healthy);

  return [
    {
      method: "GET",
      path: "/healthz",
      permission: "public",
      handle: async (call) => report(call, areAllHealthy()),
    },
    {
      method: "GET",
      path: "/readyz",
      permission: "public",
      handle: async (call) => report(call, health.isServing() && areAllHealthy()),
    },
  ];
}
