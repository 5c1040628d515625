/**
 * The admin client's fetch port over node:https, with the private CA a self-hosted server has.
 *
 * The platform's `fetch` takes no CA without a dispatcher of its own, so this is the few lines it needs. One
 * request, one answer, no retries; connections are kept open between requests.
 */

import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { AdminFetch, AdminResponse } from "@mayfly/core/admin";
import { CommandFailure } from "../failure.ts";

/** The server may hold a pull for 30 s and a command for as long as a device takes; this is longer than both. */
export const ANSWER_WAIT_MILLIS_MAX = 90_000;
/** 1,000 messages of 256 KiB in base64 and their attributes. */
export const ANSWER_BYTES_MAX = 400 * 1024 * 1024;

export interface HttpsFetch {
  /** Rejects with `CommandFailure`: server_unreachable or server_untrusted. */
  readonly fetch: AdminFetch;
  /** Ends every request under way and closes the connections kept. */
  close(): void;
}

/**
 * @param ca PEM of the roots to trust; undefined for the system's own.
 * @param answerBytesMax A longer answer is given up.
 */
export function createHttpsFetch(ca: string | undefined, answerBytesMax = ANSWER_BYTES_MAX): HttpsFetch {
  const agent = new Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) });
  const fetch: AdminFetch = (url, init) =>
    new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(describeConnectionFailure(url, error));
      const outgoing = request(
        url,
        {
          agent,
          method: init.method,
          headers: {
            ...init.headers,
            ...(init.body === undefined ? {} : { "content-length": String(Buffer.byteLength(init.body)) }),
          },
        },
        (answer) => {
          outgoing.setTimeout(0);
          resolve(asAdminResponse(url, answer, answerBytesMax));
        },
      );
      outgoing.setTimeout(ANSWER_WAIT_MILLIS_MAX, () =>
        outgoing.destroy(new Error(`no answer within ${ANSWER_WAIT_MILLIS_MAX / 1000} s`)),
      );
      outgoing.on("error", fail);
      outgoing.end(init.body);
    });
  return { fetch, close: () => agent.destroy() };
}

function asAdminResponse(url: string, answer: IncomingMessage, bytesMax: number): AdminResponse {
  return {
    status: answer.statusCode ?? 0,
    body: answer,
    async text() {
      const parts: Uint8Array[] = [];
      let bytes = 0;
      try {
        for await (const part of answer as AsyncIterable<Uint8Array>) {
          bytes += part.length;
          if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
          parts.push(part);
        }
      } catch (error) {
        throw describeConnectionFailure(url, error as Error);
      }
      return Buffer.concat(parts).toString("utf8");
    },
  };
}

/** A socket's or TLS's error as a sentence that says what to do. */
export function describeConnectionFailure(url: string, error: Error): CommandFailure {
  const { origin, host, hostname } = new URL(url);
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const untrusted = new Set([
    "SELF_SIGNED_CERT_IN_CHAIN",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_GET_ISSUER_CERT",
    "CERT_SIGNATURE_FAILURE",
  ]);
  if (untrusted.has(code)) {
    return new CommandFailure(
      "server_untrusted",
      `the certificate of ${host} is not signed by a root you trust; name the server's CA file with --ca`,
      { cause: error },
    );
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    const state = code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet";
    return new CommandFailure(
      "server_untrusted",
      `the certificate of ${host} ${state}, or this machine's clock is wrong`,
      { cause: error },
    );
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return new CommandFailure(
      "server_untrusted",
      `the certificate of ${host} does not name ${hostname}; use a name it carries in --url`,
      { cause: error },
    );
  }
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nothing listens there; is `mayfly serve` running?",
    ENOTFOUND: "there is no such host name",
    EAI_AGAIN: "the name service does not answer",
    ECONNRESET: "the connection broke",
    EPROTO: "it does not speak TLS",
    ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  };
  return new CommandFailure(
    "server_unreachable",
    `cannot reach ${origin}: ${reasons[code] ?? error.message}`,
    {
      cause: error,
    },
  );
}
