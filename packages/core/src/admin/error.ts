/**
 * Google's JSON error shape, `{"error": {"code", "message", "status", "details"?}}`, and its canonical codes.
 *
 * One table says which HTTP status each canonical code travels as (google.rpc.Code); the server writes by it
 * and the client reads by it.
 */

/** Canonical code → gRPC number and HTTP status (google/rpc/code.proto). */
export const canonicalStatuses = {
  CANCELLED: { grpc: 1, http: 499 },
  UNKNOWN: { grpc: 2, http: 500 },
  INVALID_ARGUMENT: { grpc: 3, http: 400 },
  DEADLINE_EXCEEDED: { grpc: 4, http: 504 },
  NOT_FOUND: { grpc: 5, http: 404 },
  ALREADY_EXISTS: { grpc: 6, http: 409 },
  PERMISSION_DENIED: { grpc: 7, http: 403 },
  RESOURCE_EXHAUSTED: { grpc: 8, http: 429 },
  FAILED_PRECONDITION: { grpc: 9, http: 400 },
  ABORTED: { grpc: 10, http: 409 },
  OUT_OF_RANGE: { grpc: 11, http: 400 },
  UNIMPLEMENTED: { grpc: 12, http: 501 },
  INTERNAL: { grpc: 13, http: 500 },
  UNAVAILABLE: { grpc: 14, http: 503 },
  DATA_LOSS: { grpc: 15, http: 500 },
  UNAUTHENTICATED: { grpc: 16, http: 401 },
} as const;

export type CanonicalStatus = keyof typeof canonicalStatuses;

export function isCanonicalStatus(text: unknown): text is CanonicalStatus {
  return typeof text === "string" && Object.hasOwn(canonicalStatuses, text);
}

/** The body of every refusal of the admin API. */
export interface ErrorBody {
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly status: CanonicalStatus;
    readonly details?: readonly Readonly<Record<string, unknown>>[];
  };
}

/**
 * The admin API refused a call, or answered what is not its JSON (status `UNKNOWN`).
 *
 * `status` is stable and public; `message` is for people and may change. Neither ever holds the bearer token.
 */
export class AdminApiError extends Error {
  override readonly name = "AdminApiError";
  readonly httpStatus: number;
  readonly status: CanonicalStatus;

  constructor(httpStatus: number, status: CanonicalStatus, message: string) {
    super(message);
    this.httpStatus = httpStatus;
    this.status = status;
  }
}

/** Reads a refusal's body; text that is not Google's shape becomes `UNKNOWN` with the HTTP status in words. */
export function parseErrorBody(httpStatus: number, text: string): AdminApiError {
  const error = memberOf(parseJsonOrUndefined(text), "error");
  const status = memberOf(error, "status");
  const message = memberOf(error, "message");
  if (isCanonicalStatus(status) && typeof message === "string") {
    return new AdminApiError(httpStatus, status, message);
  }
  return new AdminApiError(httpStatus, "UNKNOWN", `the server answered HTTP ${httpStatus} without a reason`);
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
