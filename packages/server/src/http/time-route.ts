/**
 * `POST /mayfly/v1/time` on the device listener: the bytes of a time request in, those of the answer out.
 *
 * The same bytes as over UDP, so that firmware has one codec for both. No token is asked: who needs the time cannot
 * mint one. The body is bytes here and JSON everywhere else, so the route lives in a scope of its own.
 */
import { timeRequestBytes } from "@mayfly/core/time-answer";
import type { FastifyInstance } from "fastify";
import type { TimeAnswerer, TimeRefusal } from "../time/time-answerer.ts";
import { ApiError } from "./api-error.ts";
import { addRoutes, type FormatJson } from "./fastify-app.ts";

export const timePath = "/mayfly/v1/time";

export function addTimeRoute(app: FastifyInstance, answerer: TimeAnswerer, formatJson: FormatJson): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "*",
      { parseAs: "buffer", bodyLimit: timeRequestBytes },
      (_request, body, done) => done(null, body),
    );
    addRoutes(
      scope,
      [
        {
          method: "POST",
          path: timePath,
          permission: "public",
          async handle({ body, request, reply }) {
            const bytes = body instanceof Uint8Array ? body : new Uint8Array(0);
            const outcome = answerer.answer(bytes, request.ip, "https");
            if (outcome.kind === "refused") throw timeRefusalOnHttp[outcome.because]();
            return reply
              .header("content-type", "application/octet-stream")
              .header("cache-control", "no-store")
              .send(Buffer.from(outcome.bytes));
          },
        },
      ],
      formatJson,
    );
  });
}

/** Each refusal as it leaves; `mayfly-refusal` is for programs, the sentence for people. */
export const timeRefusalOnHttp = {
  request_malformed: () =>
    new ApiError("INVALID_ARGUMENT", `The body is no time request of ${timeRequestBytes} bytes.`, {
      headers: { "mayfly-refusal": "request_malformed" },
    }),
  rate_limited: () =>
    new ApiError("RESOURCE_EXHAUSTED", "Too many time requests; ask again in a few seconds.", {
      headers: { "mayfly-refusal": "rate_limited", "retry-after": "5" },
    }),
  clock_untrusted: () => unavailable("clock_untrusted"),
  delegation_missing: () => unavailable("delegation_missing"),
  outside_delegation: () => unavailable("outside_delegation"),
} satisfies Record<TimeRefusal, () => ApiError>;

function unavailable(because: TimeRefusal): ApiError {
  return new ApiError("UNAVAILABLE", "The server gives no signed time now.", {
    headers: { "mayfly-refusal": because },
  });
}
