/**
 * `/metrics` on a port of its own, for a Prometheus that cannot read a Unix socket. Nothing else is there.
 */
import Fastify, { type FastifyInstance } from "fastify";

/** Scrapers connected at once. */
export const scrapersMax = 8;

export function createMetricsListener(
  read: () => Promise<{ readonly contentType: string; readonly text: string }>,
): FastifyInstance {
  const app = Fastify({ forceCloseConnections: true, exposeHeadRoutes: false, requestTimeout: 10_000 });
  app.server.maxConnections = scrapersMax;
  app.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await read();
    return reply.header("content-type", contentType).send(text);
  });
  return app;
}
