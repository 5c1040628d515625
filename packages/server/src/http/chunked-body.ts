/**
 * A chunked body (RFC 9112 §7.1), read strictly and written anew without extensions and trailers.
 *
 * No firmware is known to be sloppy here, so nothing is forgiven: CRLF only, a size of hexadecimal digits and no
 * blanks. Extensions and trailers must be ignored by the standard; they are, up to one small sum, since a body of
 * 1-byte chunks with long extensions would cost far more to read than it says.
 *
 * Left to others: what surrounds the body (`request-gate.ts`).
 */
import type { GateRefusal } from "./gate-refusal.ts";

/** Extensions, trailers and leading zeros of one body, together. */
export const CHUNK_EXTRA_BYTES_MAX = 1024;

type State =
  | "size"
  | "extension"
  | "size_lf"
  | "data"
  | "data_cr"
  | "data_lf"
  | "trailer"
  | "end_lf"
  | "complete";

const [TAB, LF, CR, BLANK, SEMICOLON, DELETE] = [0x09, 0x0a, 0x0d, 0x20, 0x3b, 0x7f];

export class ChunkedBody {
  readonly #bytesMax: number;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #left = 0;
  #bytes = 0;
  #extraBytes = 0;
  #trailerLineBytes = 0;

  /** @param bytesMax Of the data, all chunks together. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isComplete(): boolean {
    return this.#state === "complete";
  }

  take(bytes: Uint8Array): {
    readonly taken: number;
    readonly passed: readonly Uint8Array[];
    readonly refused?: GateRefusal;
  } {
    const passed: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length && this.#state !== "complete") {
      if (this.#state === "data") {
        const part = bytes.subarray(at, at + this.#left);
        this.#left -= part.length;
        at += part.length;
        passed.push(part);
        if (this.#left === 0) this.#state = "data_cr";
        continue;
      }
      const refused = this.#step(bytes[at++] ?? 0, passed);
      if (refused !== undefined) return { taken: at, passed, refused };
    }
    return { taken: at, passed };
  }

  #step(byte: number, passed: Uint8Array[]): GateRefusal | undefined {
    switch (this.#state) {
      case "size":
        return this.#stepSize(byte);
      case "extension":
        if (byte === CR) this.#state = "size_lf";
        else return this.#ignore(byte);
        return undefined;
      case "size_lf":
        if (byte !== LF) return "chunk_malformed";
        if (this.#size === 0) this.#state = "trailer";
        else passed.push(this.#beginData());
        return undefined;
      case "data_cr":
        if (byte !== CR) return "chunk_malformed";
        this.#state = "data_lf";
        return undefined;
      case "data_lf":
        if (byte !== LF) return "chunk_malformed";
        passed.push(Buffer.from("\r\n"));
        this.#state = "size";
        return undefined;
      case "trailer":
        return this.#stepTrailer(byte);
      case "end_lf":
        if (byte !== LF) return "chunk_malformed";
        return this.#endTrailerLine(passed);
      default:
        return "chunk_malformed";
    }
  }

  #stepSize(byte: number): GateRefusal | undefined {
    const digit = hexDigit(byte);
    if (digit !== undefined) {
      if (this.#size === 0 && this.#digits > 0 && ++this.#extraBytes > CHUNK_EXTRA_BYTES_MAX) {
        return "chunk_malformed";
      }
      this.#digits++;
      this.#size = this.#size * 16 + digit;
      return this.#bytes + this.#size > this.#bytesMax ? "body_too_large" : undefined;
    }
    if (this.#digits === 0) return "chunk_malformed";
    if (byte === CR) this.#state = "size_lf";
    else if (byte === SEMICOLON) this.#state = "extension";
    else return "chunk_malformed";
    return undefined;
  }

  #beginData(): Uint8Array {
    const line = `${this.#size.toString(16)}\r\n`;
    this.#bytes += this.#size;
    this.#left = this.#size;
    this.#size = 0;
    this.#digits = 0;
    this.#state = "data";
    return Buffer.from(line);
  }

  #stepTrailer(byte: number): GateRefusal | undefined {
    if (byte === CR) {
      this.#state = "end_lf";
      return undefined;
    }
    this.#trailerLineBytes++;
    return this.#ignore(byte);
  }

  #endTrailerLine(passed: Uint8Array[]): undefined {
    const isLast = this.#trailerLineBytes === 0;
    this.#trailerLineBytes = 0;
    this.#state = isLast ? "complete" : "trailer";
    if (isLast) passed.push(Buffer.from("0\r\n\r\n"));
    return undefined;
  }

  #ignore(byte: number): GateRefusal | undefined {
    if ((byte < BLANK && byte !== TAB) || byte === DELETE) return "chunk_malformed";
    return ++this.#extraBytes > CHUNK_EXTRA_BYTES_MAX ? "chunk_malformed" : undefined;
  }
}

function hexDigit(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
}
