/**
 * `/metrics` for Prometheus: open to this machine, by permission from elsewhere. Nothing in it names a device.
 */
import type { Route } from "./route.ts";

/** Port: the metrics as text. Adapter: `host/metrics.ts`. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export function metricsRoutes(metrics: MetricsText): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/metrics",
      permission: "mayfly.metrics.get",
      opensOnLoopback: true,
      async handle(call) {
        return call.reply.header("content-type", metrics.contentType).send(await metrics.text());
      },
    },
  ];
}
