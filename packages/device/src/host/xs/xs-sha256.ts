/** SHA-256 by the SDK's native `Digest`. */
import type { Sha256 } from "@mayfly/core";
import type { XsDigestClass } from "./moddable-types.ts";

export function createXsSha256(digest: XsDigestClass): Sha256 {
  return {
    digest(bytes) {
      const hasher = new digest("SHA256");
      // It takes whole buffers; a view of a part of one becomes a buffer of its own.
      const { buffer } = bytes.length === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
      hasher.write(buffer as ArrayBuffer);
      return new Uint8Array(hasher.close());
    },
  };
}
