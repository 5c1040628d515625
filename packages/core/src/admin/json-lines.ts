/**
 * Newline-delimited JSON out of byte chunks: whole lines only, whatever the chunking, of a bounded length.
 *
 * Bytes are collected until the newline (0x0A never occurs inside a UTF-8 sequence), so a character split
 * between two chunks survives.
 */
import { concatBytes, utf8Decode } from "../bytes.ts";
import { AdminApiError } from "./error.ts";

/** The longest line read, in bytes: a 256 KiB message in base64 with its attributes fits twice. */
export const JSON_LINE_BYTES_MAX = 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Yields the value of each line; empty lines (the server's heartbeat) are passed over, and so is an
 * unfinished last line.
 *
 * @throws {AdminApiError} DATA_LOSS for a line past {@link JSON_LINE_BYTES_MAX} or one that is not JSON.
 */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, void> {
  let parts: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = concatBytes([...parts, chunk.subarray(start, end)]);
      parts = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.length > 0) yield parseLine(line);
    }
    if (start < chunk.length) {
      parts.push(chunk.slice(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > JSON_LINE_BYTES_MAX) {
        throw new AdminApiError(
          200,
          "DATA_LOSS",
          `a line of the stream is longer than ${JSON_LINE_BYTES_MAX} bytes`,
        );
      }
    }
  }
}

function parseLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decode(line));
  } catch {
    throw new AdminApiError(200, "DATA_LOSS", "a line of the stream is not JSON");
  }
}
