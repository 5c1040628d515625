/**
 * What both HTTP listeners have in common: bounds, lenient JSON bodies, Google's errors, no talk of insides.
 */
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from "fastify";
import { ApiError, errorBody, toApiError } from "./api-error.ts";
import { toCamelCase } from "./json-fields.ts";
import { type Call, type Method, type Route, splitVerb, toRouterPath } from "./route.ts";

/** How long a request may take to arrive. */
export const REQUEST_MILLIS_MAX = 30_000;
/** How long a connection may say nothing between requests. */
export const KEEP_ALIVE_MILLIS_MAX = 72_000;
/** Longest path parameter, percent-decoded: ids have at most 255 characters. */
export const PARAM_CHARACTERS_MAX = 512;

export type FormatJson = (value: unknown) => string;

/** Told of each error that is INTERNAL outside; the cause belongs in the log. */
export type OnInternalError = (
  error: unknown,
  where: { readonly method: string; readonly route: string },
) => void;

/** Options of Fastify that are the same for every listener. */
export function commonOptions(bodyBytesMax: number, formatJson: FormatJson) {
  return {
    bodyLimit: bodyBytesMax,
    requestTimeout: REQUEST_MILLIS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MILLIS_MAX,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    rewriteUrl: (request) => splitVerb(request.url ?? "/"),
    frameworkErrors: (error, _request, reply) => sendError(reply, toApiError(error), formatJson),
    clientErrorHandler(_error, socket) {
      if (!socket.writable) return;
      socket.end(
        formatLastAnswer(new ApiError("INVALID_ARGUMENT", "The HTTP request is malformed."), formatJson),
      );
    },
  } satisfies FastifyServerOptions;
}

/** RFC 9110 §15 and RFC 6585 §5, of the answers given without a parser. */
const reasonPhrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};

/** A whole answer for a connection that no parser reads any more. */
export function formatLastAnswer(error: ApiError, formatJson: FormatJson): string {
  const body = formatJson(errorBody(error));
  return (
    `HTTP/1.1 ${error.httpStatus} ${reasonPhrases[error.httpStatus] ?? ""}\r\n` +
    "content-type: application/json; charset=UTF-8\r\n" +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  );
}

/** Bodies are JSON whatever their Content-Type says, and none is as good as an empty one. */
export function takeJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    try {
      // RFC 8259 §8.1. A decoder that mends bytes would let two ids become one.
      if (!Buffer.isBuffer(body) || !isUtf8(body)) throw new TypeError("not UTF-8");
      done(null, JSON.parse(body.toString("utf8")));
    } catch {
      done(new ApiError("INVALID_ARGUMENT", "Invalid JSON payload received."));
    }
  });
}

/** Every refusal in Google's shape, 404 and 405 too. */
export function answerErrors(
  app: FastifyInstance,
  formatJson: FormatJson,
  onInternalError: OnInternalError,
): void {
  app.setErrorHandler((error, request, reply) => {
    const apiError = toApiError(error);
    if (apiError.status === "INTERNAL") {
      onInternalError(error, { method: request.method, route: request.routeOptions.url ?? "" });
    }
    return sendError(reply, apiError, formatJson);
  });
  app.setNotFoundHandler((_request, reply) =>
    sendError(
      reply,
      new ApiError("NOT_FOUND", "The requested URL was not found on this server."),
      formatJson,
    ),
  );
}

function sendError(reply: FastifyReply, error: ApiError, formatJson: FormatJson): FastifyReply {
  // Fastify asks for the connection's end when it refuses a body; HTTP/2 has no such header (RFC 9113 §8.2.2).
  if (reply.request.raw.httpVersionMajor >= 2) reply.removeHeader("connection");
  return reply
    .code(error.httpStatus)
    .headers(error.headers)
    .header("content-type", "application/json; charset=UTF-8")
    .serializer((text: string) => text)
    .send(formatJson(errorBody(error)));
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Registers the table, and for each of its paths the methods it does not have: 405 with `allow`. */
export function addRoutes(app: FastifyInstance, routes: readonly Route[], formatJson: FormatJson): void {
  const methodsOf = new Map<string, Method[]>();
  for (const route of routes) {
    const url = toRouterPath(route.path);
    methodsOf.set(url, [...(methodsOf.get(url) ?? []), route.method]);
    app.route({
      method: route.method,
      url,
      config: { permission: route.permission, opensOnLoopback: route.opensOnLoopback === true },
      async handler(request, reply) {
        const answer = await route.handle(callOf(request, reply));
        if (reply.sent || answer === reply) return reply;
        return reply
          .header("content-type", "application/json; charset=UTF-8")
          .serializer((text: string) => text)
          .send(formatJson(answer));
      },
    });
  }
  for (const [url, present] of methodsOf) {
    const allow = present.join(", ");
    app.route({
      method: methods.filter((method) => !present.some((one) => one === method)),
      url,
      config: { permission: "public" },
      async handler() {
        throw new ApiError("UNIMPLEMENTED", `The method is not allowed here; allowed: ${allow}.`, {
          httpStatus: 405,
          headers: { allow },
        });
      },
    });
  }
}

function callOf(request: FastifyRequest, reply: FastifyReply): Call {
  const params = request.params as Readonly<Record<string, string>>;
  const query = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(request.query as Readonly<Record<string, string | string[]>>)) {
    const camel = name.split(".").map(toCamelCase).join(".");
    query.set(camel, [...(query.get(camel) ?? []), ...(Array.isArray(value) ? value : [value])]);
  }
  return {
    param(name) {
      const value = params[name];
      if (value === undefined) throw new Error(`the route has no parameter '${name}'`);
      return value;
    },
    query: (name) => query.get(name)?.[0],
    queryAll: (name) => query.get(name) ?? [],
    body: request.body,
    request,
    reply,
  };
}
