/**
 * Refusals of the HTTP APIs, and the one table that turns every typed error of the house into Google's shape.
 *
 * Outside sees a canonical code and a sentence; stacks, SQL and causes stay in the log. An error this table
 * does not know is INTERNAL with a fixed text, so nothing unforeseen speaks to a stranger.
 */
import { BytesError, IdError } from "@mayfly/core";
import { type CanonicalStatus, canonicalStatuses, type ErrorBody } from "@mayfly/core/admin";
import { PolicyError } from "@mayfly/core/token";
import { RegistryError, type RegistryErrorCode } from "../registry/error.ts";
import { KeyParseError, type KeyParseErrorCode } from "../registry/key-parser.ts";
import { StoreError, type StoreErrorCode } from "../registry/store.ts";

/** A field of the request that broke a rule: becomes a `google.rpc.BadRequest` detail. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** A refusal with its canonical code; `message` is sent to the caller as it is. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: CanonicalStatus;
  readonly httpStatus: number;
  readonly violations: readonly FieldViolation[];
  /** Extra response headers, such as `allow`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: CanonicalStatus,
    message: string,
    more: {
      readonly violations?: readonly FieldViolation[];
      readonly headers?: Readonly<Record<string, string>>;
      /** Where the HTTP status is not the canonical one (405). */
      readonly httpStatus?: number;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.violations = more.violations ?? [];
    this.headers = more.headers ?? {};
    this.httpStatus = more.httpStatus ?? canonicalStatuses[status].http;
  }
}

/** INVALID_ARGUMENT about one field, in Google's form. */
export function invalidField(field: string, description: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", description, { violations: [{ field, description }] });
}

export const registryErrorOnHttp = {
  argument_invalid: "INVALID_ARGUMENT",
  not_found: "NOT_FOUND",
  already_exists: "ALREADY_EXISTS",
  precondition_failed: "FAILED_PRECONDITION",
  credential_not_vouched: "PERMISSION_DENIED",
} satisfies Record<RegistryErrorCode, CanonicalStatus>;

export const storeErrorOnHttp = {
  already_exists: { status: "ALREADY_EXISTS", says: undefined },
  not_found: { status: "NOT_FOUND", says: undefined },
  not_empty: { status: "FAILED_PRECONDITION", says: undefined },
  not_gateway: { status: "FAILED_PRECONDITION", says: undefined },
  is_gateway: { status: "FAILED_PRECONDITION", says: undefined },
  too_many_bound: { status: "FAILED_PRECONDITION", says: undefined },
  bound: { status: "FAILED_PRECONDITION", says: undefined },
  version_mismatch: { status: "FAILED_PRECONDITION", says: undefined },
  key_taken: { status: "FAILED_PRECONDITION", says: undefined },
  schema_too_new: { status: "INTERNAL", says: "Internal error." },
  locked: { status: "UNAVAILABLE", says: "The store is locked." },
  disk_full: { status: "UNAVAILABLE", says: "The store has no room left." },
  closed: { status: "UNAVAILABLE", says: "The server is shutting down." },
  store_failed: { status: "INTERNAL", says: "Internal error." },
} satisfies Record<StoreErrorCode, { readonly status: CanonicalStatus; readonly says: string | undefined }>;

export const keyParseErrorOnHttp = {
  key_private: "INVALID_ARGUMENT",
  key_too_large: "INVALID_ARGUMENT",
  key_pem_malformed: "INVALID_ARGUMENT",
  key_format_mismatch: "INVALID_ARGUMENT",
  key_type_unsupported: "INVALID_ARGUMENT",
  key_too_small: "INVALID_ARGUMENT",
  certificate_malformed: "INVALID_ARGUMENT",
} satisfies Record<KeyParseErrorCode, CanonicalStatus>;

/** Fastify's own refusals, and the platform's, that a client can cause. */
const frameworkErrors: Readonly<Record<string, { status: CanonicalStatus; says: string }>> = {
  FST_ERR_BAD_URL: { status: "INVALID_ARGUMENT", says: "The request path is not a valid URL path." },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: "INVALID_ARGUMENT", says: "Request payload size exceeds the limit." },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: "INVALID_ARGUMENT",
    says: "Content-Length does not match the body.",
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: "INVALID_ARGUMENT",
    says: "The Content-Type header is malformed.",
  },
  ECONNRESET: { status: "CANCELLED", says: "The client closed the request." },
};

/** Every error to the refusal it is outside. What it does not know is INTERNAL: the caller logs that one. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof RegistryError) return new ApiError(registryErrorOnHttp[error.code], error.message);
  if (error instanceof StoreError) {
    const row = storeErrorOnHttp[error.code];
    return new ApiError(row.status, row.says ?? error.message);
  }
  if (error instanceof KeyParseError) return new ApiError(keyParseErrorOnHttp[error.code], error.message);
  if (error instanceof PolicyError) return new ApiError("INVALID_ARGUMENT", policySentence(error));
  if (error instanceof IdError) return new ApiError("INVALID_ARGUMENT", error.message);
  if (error instanceof BytesError) return new ApiError("INVALID_ARGUMENT", "The text is malformed.");
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const row =
    typeof code === "string" && Object.hasOwn(frameworkErrors, code) ? frameworkErrors[code] : undefined;
  if (row !== undefined) return new ApiError(row.status, row.says);
  if (isClientError(error)) return new ApiError("INVALID_ARGUMENT", "The request is malformed.");
  return new ApiError("INTERNAL", "Internal error.");
}

/** A refusal of the framework that this table does not name: its status says whose fault it is. */
function isClientError(error: unknown): boolean {
  if (!(error instanceof Error) || !("statusCode" in error)) return false;
  return typeof error.statusCode === "number" && error.statusCode >= 400 && error.statusCode < 500;
}

function policySentence(error: PolicyError): string {
  const field = error.facts["field"];
  return error.code === "policy_malformed" && field !== undefined
    ? `Invalid policy: ${error.message} ('${field}').`
    : `Invalid policy: ${error.message}.`;
}

export function errorBody(error: ApiError): ErrorBody {
  const details =
    error.violations.length === 0
      ? {}
      : {
          details: [
            { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: error.violations },
          ],
        };
  return { error: { code: error.httpStatus, message: error.message, status: error.status, ...details } };
}
