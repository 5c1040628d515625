/**
 * The device's bridge to other programs on this machine: HTTP over a Unix socket.
 *
 * A program in any language publishes without knowing of tokens, sessions or outages: what was answered with 200 is
 * on the disk and will arrive. Who may open the socket may speak for the device; the file's mode says who that is,
 * and there is no other login.
 *
 * Left to others: the agent, and where the socket lies (`host/agent-service.ts`).
 */
import type { PublishAnswer, PublishOptions, PublishRefusal } from "@mayfly/device";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { CommandDesk } from "./command-desk.ts";
import type { ConfigShelf } from "./config-shelf.ts";

/** A telemetry message (Cloud IoT Core's bound). */
export const bodyBytesMax = 256 * 1024;
/** Programs connected at once. */
export const connectionsMax = 64;
/** How long a request may ask to wait. */
export const waitSecondsMax = 60;
/** How long a message may take to be on the disk. */
export const durableMillisMax = 10_000;
/** How long a request may take to arrive. */
const requestMillisMax = 30_000;

export interface LocalApiPorts {
  publish(payload: Uint8Array, options: PublishOptions): PublishAnswer;
  publishState(payload: Uint8Array): PublishAnswer;
  /** Fit for JSON. */
  status(): unknown;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  readonly commands: CommandDesk;
  readonly config: ConfigShelf;
  /** Resolves after `millis`, or when `signal` fires. */
  sleep(millis: number, signal: AbortSignal): Promise<void>;
  /** A fault of ours, for the log. */
  failed(error: unknown): void;
}

type ErrorCode =
  | PublishRefusal
  | "request_malformed"
  | "not_found"
  | "too_many_waiting"
  | "not_durable"
  | "dropped"
  | "refused_by_bridge"
  | "internal";

class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  readonly statusCode: number;
  readonly code: ErrorCode;

  constructor(statusCode: number, code: ErrorCode, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
  }
}

const refusals = {
  outbox_full: [503, "the outbox is full; try again when the bridge has taken some of it"],
  outbox_busy: [503, "the disk is behind; try again in a moment"],
  outbox_disk_full: [503, "the disk is full; try again when there is room on it"],
  outbox_disk_failed: [503, "the disk does not keep what it is given; the agent tries it again"],
  message_too_large: [413, "a message has 262144 bytes at most, a state 65536"],
  subfolder_malformed: [400, "a subfolder is levels of two or more letters, digits and -._+~%, parted by /"],
  message_id_malformed: [400, "a message id has 1 to 128 bytes of text"],
  stopped: [503, "the agent is ending"],
} as const satisfies Record<PublishRefusal, readonly [number, string]>;

/** @returns Not listening yet. */
export function createLocalApi(ports: LocalApiPorts): FastifyInstance {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMillisMax,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
  });
  app.server.maxConnections = connectionsMax;
  // A payload is bytes, whatever its maker calls it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, _request, reply) => sendError(reply, error, ports));
  app.setNotFoundHandler((_request, reply) =>
    sendError(reply, new ApiFailure(404, "not_found", "there is nothing at this path and method"), ports),
  );

  app.post("/v1/events", (request, reply) => publishEvent(ports, request, reply, ""));
  app.post("/v1/events/*", (request, reply) => {
    const { "*": subfolder = "" } = request.params as { readonly "*"?: string };
    return publishEvent(ports, request, reply, subfolder);
  });
  app.post("/v1/state", (request, reply) =>
    answerPublish(ports, request, reply, ports.publishState(bodyOf(request))),
  );
  app.get("/v1/config", (request, reply) => answerConfig(ports, request, reply));
  app.get("/v1/commands/next", (request, reply) => answerCommand(ports, request, reply));
  for (const outcome of ["done", "failed"] as const) {
    app.post(`/v1/commands/:id/${outcome}`, (request, reply) => {
      const { id } = request.params as { readonly id: string };
      if (!ports.commands.settle(id, outcome)) {
        throw new ApiFailure(404, "not_found", "no command with this id is being carried out");
      }
      return reply.code(204).send();
    });
  }
  app.get("/v1/status", (_request, reply) => reply.send(ports.status()));
  app.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await ports.metrics();
    return reply.header("content-type", contentType).send(text);
  });
  return app;
}

async function publishEvent(
  ports: LocalApiPorts,
  request: FastifyRequest,
  reply: FastifyReply,
  subfolder: string,
): Promise<FastifyReply> {
  const messageId = request.headers["mayfly-message-id"];
  if (Array.isArray(messageId)) throw malformed("mayfly-message-id may be given once");
  const qos = queryOf(request, "qos") ?? "1";
  if (qos !== "0" && qos !== "1") throw malformed("qos must be 0 or 1");
  const answer = ports.publish(bodyOf(request), {
    subfolder,
    qos: qos === "1" ? 1 : 0,
    ...(messageId === undefined ? undefined : { messageId }),
  });
  return await answerPublish(ports, request, reply, answer);
}

/** `?wait=SECONDS`: until the bridge has acknowledged it; without, until it is kept here. */
async function answerPublish(
  ports: LocalApiPorts,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: PublishAnswer,
): Promise<FastifyReply> {
  if (answer.kind === "refused") {
    const [status, sentence] = refusals[answer.because];
    if (status >= 500) reply.header("retry-after", "1");
    throw new ApiFailure(status, answer.because, sentence);
  }
  const waitMillis = waitOf(request);
  const durability = await within(ports, request, durableMillisMax, answer.durable);
  if (durability === undefined || durability === "not_kept") {
    // Settled before it was written is as good.
    const outcome = await within(ports, request, 0, answer.outcome);
    if (outcome?.kind === "acknowledged" || outcome?.kind === "superseded") {
      return reply.send({ state: outcome.kind });
    }
    reply.header("retry-after", "1");
    throw new ApiFailure(503, "not_durable", "the disk does not take the message; it may be lost");
  }
  const kept = durability === "memory" ? "in_memory" : "kept";
  if (waitMillis === 0) return reply.send({ state: kept });
  const outcome = await within(ports, request, waitMillis, answer.outcome);
  switch (outcome?.kind) {
    case undefined:
      return reply.code(202).send({ state: kept });
    case "acknowledged":
    case "sent":
    case "superseded":
      return reply.send({ state: outcome.kind });
    case "refused":
      throw new ApiFailure(
        422,
        "refused_by_bridge",
        `the bridge refused the message for good (reason code ${outcome.reasonCode})`,
      );
    case "dropped":
      throw new ApiFailure(503, "dropped", "the outbox was full, and gave the message up for newer ones");
    case "stopped":
      return reply.code(202).send({ state: kept });
  }
}

async function within<T>(
  ports: LocalApiPorts,
  request: FastifyRequest,
  waitMillis: number,
  answer: Promise<T>,
): Promise<T | undefined> {
  const over = new AbortController();
  const gone = (): void => over.abort();
  request.raw.socket.once("close", gone);
  try {
    return await Promise.race([answer, ports.sleep(waitMillis, over.signal).then(() => undefined)]);
  } finally {
    over.abort();
    request.raw.socket.off("close", gone);
  }
}

async function answerConfig(
  ports: LocalApiPorts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const known = request.headers["if-none-match"]?.replace(/^"(.*)"$/, "$1");
  const asked = orTooMany(() => ports.config.other(known, waitOf(request)));
  request.raw.socket.once("close", asked.cancel);
  const config = await asked.config;
  request.raw.socket.off("close", asked.cancel);
  if (config === undefined) return reply.code(ports.config.current === undefined ? 204 : 304).send();
  return reply
    .header("etag", `"${config.tag}"`)
    .header("content-type", "application/octet-stream")
    .send(Buffer.from(config.payload));
}

async function answerCommand(
  ports: LocalApiPorts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const asked = orTooMany(() => ports.commands.next(waitOf(request)));
  request.raw.socket.once("close", asked.cancel);
  const command = await asked.command;
  request.raw.socket.off("close", asked.cancel);
  if (command === undefined) return reply.code(204).send();
  // A program that went away while it waited has not got it: the next one may have it sooner than after a minute.
  if (request.raw.socket.destroyed) ports.commands.settle(command.id, "failed");
  return reply
    .header("mayfly-command-id", command.id)
    .header("mayfly-subfolder", command.subfolder)
    .header("content-type", "application/octet-stream")
    .send(Buffer.from(command.payload));
}

function orTooMany<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof RangeError) throw new ApiFailure(429, "too_many_waiting", error.message);
    throw error;
  }
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
}

function queryOf(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  if (value === undefined || typeof value === "string") return value;
  throw malformed(`${name} may be given once`);
}

function waitOf(request: FastifyRequest): number {
  const text = queryOf(request, "wait") ?? "0";
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= waitSecondsMax) return seconds * 1000;
  throw malformed(`wait must be 0 to ${waitSecondsMax} seconds`);
}

function malformed(message: string): ApiFailure {
  return new ApiFailure(400, "request_malformed", message);
}

function sendError(reply: FastifyReply, error: unknown, ports: LocalApiPorts): FastifyReply {
  const failure = failureOf(error);
  if (failure.code === "internal") ports.failed(error);
  const { code, message, statusCode } = failure;
  return reply.code(statusCode).send({ error: { code, message } });
}

function failureOf(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error;
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  if (status === 413) return new ApiFailure(413, "message_too_large", refusals.message_too_large[1]);
  // Fastify's own verdicts on a request.
  if (typeof status === "number" && status >= 400 && status < 500) {
    return new ApiFailure(status, "request_malformed", "the request is malformed");
  }
  return new ApiFailure(500, "internal", "the agent failed at this request; its log says how");
}
