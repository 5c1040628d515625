/**
 * The one reader of request framing on the device listener: sloppy bytes in, canonical HTTP/1.1 out, or a refusal.
 *
 * Firmware in the field ends lines with a bare LF, puts two blanks behind the method and sends blank lines after
 * the body. Node's parser takes that only with every other leniency at once (a CR alone as a line's end, blanks in
 * chunk sizes, folded headers, bytes after `Connection: close`), and most of those leave no trace afterwards. So
 * the raw bytes are read here, exactly three things are forgiven, and the strict parser gets a request written
 * anew: nobody behind the gate can see another boundary than the gate saw. One request passes at a time.
 *
 * Left to others: chunked bodies (`chunked-body.ts`), sockets and deadlines (`gated-socket.ts`), the words of a
 * refusal (`gate-refusal.ts`).
 */
import { ChunkedBody } from "./chunked-body.ts";
import type { GateRefusal } from "./gate-refusal.ts";

/** Blank lines before a request, in bytes: firmware sends two or three behind its last body (RFC 9112 §2.2). */
export const BLANK_BYTES_MAX = 16;
export const HEADER_LINES_MAX = 64;
/** Blanks between the parts of the request line. */
export const BLANKS_MAX = 4;

export interface GateLimits {
  /** Request line and headers with their line ends. */
  readonly headBytesMax: number;
  readonly bodyBytesMax: number;
}

/** idle: before the first byte of a request. complete: its last byte was taken, the next waits for `next()`. */
export type GatePhase = "idle" | "head" | "body" | "complete";

export interface GateTaken {
  /** How many of the bytes were taken; the rest belongs to the next request. */
  readonly taken: number;
  /** For the strict parser, in order. */
  readonly passed: readonly Uint8Array[];
  readonly refused?: GateRefusal;
}

const [TAB, LF, CR, BLANK, DELETE] = [0x09, 0x0a, 0x0d, 0x20, 0x7f];
const HEAD_BYTES_FIRST = 1024;

export class RequestGate {
  readonly #limits: GateLimits;
  #phase: GatePhase = "idle";
  #blankBytes = 0;
  #head = new Uint8Array(0);
  #headBytes = 0;
  #lineBytes = 0;
  #afterCr = false;
  #bodyBytesLeft = 0;
  #chunked: ChunkedBody | undefined;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  get phase(): GatePhase {
    return this.#phase;
  }

  /** The request before was answered: the next one may come. */
  next(): void {
    this.#phase = "idle";
    this.#blankBytes = 0;
    this.#chunked = undefined;
  }

  /** Takes what belongs to the present request. After a refusal the connection is of no further use. */
  take(bytes: Uint8Array): GateTaken {
    const passed: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length && this.#phase !== "complete") {
      if (this.#phase === "body") {
        const part = this.#takeBody(bytes.subarray(at));
        passed.push(...part.passed);
        at += part.taken;
        if (part.refused !== undefined) return { taken: at, passed, refused: part.refused };
        continue;
      }
      const refused = this.#takeHeadByte(bytes[at++] ?? 0, passed);
      if (refused !== undefined) return { taken: at, passed, refused };
    }
    return { taken: at, passed };
  }

  #takeHeadByte(byte: number, passed: Uint8Array[]): GateRefusal | undefined {
    if (this.#afterCr && byte !== LF) return "carriage_return_alone";
    this.#afterCr = byte === CR;
    const isLineEnd = byte === LF || byte === CR;
    if (!isLineEnd && ((byte < BLANK && byte !== TAB) || byte === DELETE)) return "control_character";
    if (this.#phase === "idle") {
      if (isLineEnd) return ++this.#blankBytes > BLANK_BYTES_MAX ? "blank_lines_too_many" : undefined;
      this.#phase = "head";
      this.#headBytes = 0;
      this.#lineBytes = 0;
    }
    if (this.#headBytes >= this.#limits.headBytesMax) return "head_too_large";
    this.#keep(byte);
    if (!isLineEnd) this.#lineBytes++;
    if (byte !== LF) return undefined;
    const isHeadEnd = this.#lineBytes === 0;
    this.#lineBytes = 0;
    return isHeadEnd ? this.#endHead(passed) : undefined;
  }

  #keep(byte: number): void {
    if (this.#headBytes === this.#head.length) {
      const larger = new Uint8Array(Math.max(HEAD_BYTES_FIRST, this.#head.length * 2));
      larger.set(this.#head);
      this.#head = larger;
    }
    this.#head[this.#headBytes++] = byte;
  }

  #endHead(passed: Uint8Array[]): GateRefusal | undefined {
    const text = Buffer.from(this.#head.buffer, 0, this.#headBytes).toString("latin1");
    this.#head = new Uint8Array(0);
    const head = readHead(text, this.#limits.bodyBytesMax);
    if (typeof head === "string") return head;
    passed.push(Buffer.from(head.canonical, "latin1"));
    this.#bodyBytesLeft = head.bodyBytes === "chunked" ? 0 : head.bodyBytes;
    this.#chunked = head.bodyBytes === "chunked" ? new ChunkedBody(this.#limits.bodyBytesMax) : undefined;
    this.#phase = head.bodyBytes === 0 ? "complete" : "body";
    return undefined;
  }

  #takeBody(bytes: Uint8Array): GateTaken {
    if (this.#chunked !== undefined) {
      const part = this.#chunked.take(bytes);
      if (this.#chunked.isComplete) this.#phase = "complete";
      return part;
    }
    const part = bytes.subarray(0, this.#bodyBytesLeft);
    this.#bodyBytesLeft -= part.length;
    if (this.#bodyBytesLeft === 0) this.#phase = "complete";
    return { taken: part.length, passed: [part] };
  }
}

interface Head {
  /** The head written anew: CRLF, one blank, trimmed values. */
  readonly canonical: string;
  readonly bodyBytes: number | "chunked";
}

/** Those the listener answers; 405 is said behind the gate. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const requestLine = new RegExp(
  `^([A-Z]{1,20}) {1,${BLANKS_MAX}}([!-~]+) {1,${BLANKS_MAX}}HTTP/([0-9.]{1,8})$`,
);
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Nobody here reads it, and firmware has been seen to send a URL in its place; only a list is refused. */
const hostValue = /^[!-+\--~]*$/;
/** Two of one of these could mean two things. */
const singular: ReadonlySet<string> = new Set([
  "host",
  "authorization",
  "content-length",
  "transfer-encoding",
  "content-type",
  "expect",
]);
/** Never spoken here, and a reader behind the gate might answer: RFC 9110 §7.8 lets a server ignore them. */
const dropped: ReadonlySet<string> = new Set(["upgrade", "http2-settings", "trailer", "te"]);

function readHead(text: string, bodyBytesMax: number): Head | GateRefusal {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  const [first = "", ...rest] = lines.slice(0, -2);
  const start = requestLine.exec(first);
  if (start === null) return "request_line";
  const [, method = "", target = "", version = ""] = start;
  if (version !== "1.1" && version !== "1.0") return "version";
  if (!methods.has(method)) return "method_unknown";
  const path = originForm(method, target);
  if (path === undefined) return "target";
  if (rest.length > HEADER_LINES_MAX) return "headers_too_many";

  const seen = new Map<string, string>();
  let canonical = `${method} ${path} HTTP/${version}\r\n`;
  for (const line of rest) {
    if (line.startsWith(" ") || line.startsWith("\t")) return "header_folded";
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!headerName.test(name)) return "header_name";
    const lower = name.toLowerCase();
    if (singular.has(lower) && seen.has(lower)) return "header_repeated";
    const value = trimBlanks(line.slice(colon + 1));
    seen.set(lower, value);
    const isOf11Only = lower === "expect" && version === "1.0";
    if (!dropped.has(lower) && !isOf11Only) canonical += `${name}: ${value}\r\n`;
  }

  const host = seen.get("host");
  if (host === undefined ? version === "1.1" : !hostValue.test(host)) return "host";
  if ((seen.get("expect") ?? "100-continue").toLowerCase() !== "100-continue") return "expectation";
  const bodyBytes = readFraming(seen, version, bodyBytesMax);
  if (typeof bodyBytes !== "number" && bodyBytes !== "chunked") return bodyBytes;
  return { canonical: `${canonical}\r\n`, bodyBytes };
}

/** RFC 9112 §3.2: origin-form as it is, absolute-form by its path, `*` for OPTIONS. */
function originForm(method: string, target: string): string | undefined {
  if (target.includes("#")) return undefined;
  if (target.startsWith("/")) return target;
  if (target === "*") return method === "OPTIONS" ? target : undefined;
  const authority = /^https?:\/\/[A-Za-z0-9.\-_[\]:%]+/i.exec(target)?.[0];
  if (authority === undefined) return undefined;
  const path = target.slice(authority.length);
  if (path === "" || path.startsWith("?")) return `/${path}`;
  return path.startsWith("/") ? path : undefined;
}

/** RFC 9112 §6.3, without the cases where two readers could differ. */
function readFraming(
  headers: ReadonlyMap<string, string>,
  version: string,
  bodyBytesMax: number,
): number | "chunked" | GateRefusal {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) {
    if (length !== undefined) return "framing_twice";
    return version === "1.1" && coding.toLowerCase() === "chunked" ? "chunked" : "transfer_encoding";
  }
  if (length === undefined) return 0;
  if (!/^[0-9]{1,15}$/.test(length)) return "content_length";
  return Number(length) > bodyBytesMax ? "body_too_large" : Number(length);
}

function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === BLANK || code === TAB;
}
