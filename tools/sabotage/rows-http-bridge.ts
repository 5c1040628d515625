/** Sabotages of the HTTP bridge's gate: what is forgiven, what never is, and what one client may cost. */
import type { Sabotage } from "./table.ts";

const gate = "packages/server/src/http/request-gate.ts";
const gateTest = "packages/server/src/http/request-gate.test.ts";
const socket = "packages/server/src/http/gated-socket.ts";
const socketTest = "packages/server/src/http/gated-socket.test.ts";

export const httpBridgeSabotages: readonly Sabotage[] = [
  {
    promise: "Firmware that ends its lines with a line feed alone is understood.",
    deed: "put no gate before the parser",
    file: "packages/server/src/http/device-api.ts",
    find: "  gateConnections(app.server, {",
    replace: "  if (Date.length < 0) gateConnections(app.server, {",
    test: "packages/server/src/http/device-api.test.ts",
    name: "sloppy firmware is understood",
  },
  {
    promise: "No request hides in the headers of another: a carriage return alone ends no line.",
    deed: "let a carriage return stand alone",
    file: gate,
    find: 'if (this.#afterCr && byte !== LF) return "carriage_return_alone";',
    replace: 'if (this.#afterCr && byte === 0) return "carriage_return_alone";',
    test: gateTest,
    name: "refused as carriage_return_alone",
  },
  {
    promise: "A body has one length: Content-Length and Transfer-Encoding together are refused.",
    deed: "believe the coding and forget the length",
    file: gate,
    find: 'if (length !== undefined) return "framing_twice";',
    replace: "",
    test: gateTest,
    name: "refused as framing_twice",
  },
  {
    promise: "A header that decides may stand once: two lengths, two tokens, two hosts are refused.",
    deed: "let the last of two headers win",
    file: gate,
    find: 'if (singular.has(lower) && seen.has(lower)) return "header_repeated";',
    replace: "",
    test: gateTest,
    name: "refused as header_repeated",
  },
  {
    promise: "A chunk ends where its size says, or the connection does.",
    deed: "take a chunk without the line end behind it",
    file: "packages/server/src/http/chunked-body.ts",
    find: 'if (byte !== CR) return "chunk_malformed";',
    replace: "if (byte !== CR) return this.#stepSize(byte);",
    test: gateTest,
    name: "refused as chunk_malformed",
  },
  {
    promise: "A client that pipelines holds one request in the bridge, and is not read meanwhile.",
    deed: "let the next request in before the answer is out",
    file: socket,
    find: 'if (this.#gate.phase !== "complete" || !this.#isAnswered) return;',
    replace: 'if (this.#gate.phase !== "complete") return;',
    test: socketTest,
    name: "a pipelined request stays outside until the answer before it is out",
  },
  {
    promise: "A client that does not read its answer is cut.",
    deed: "wait for ever until an answer is taken",
    file: socket,
    find: "    else this.#socket.destroy();",
    replace: "",
    test: socketTest,
    name: "a client that does not read its answer is cut",
  },
  {
    promise: "A client that sends its headers or its body byte by byte is timed out.",
    deed: "count the time anew with each byte",
    file: socket,
    find: "    if (this.#phase !== phase && this.#phase !==",
    replace: "    if (this.#phase !==",
    test: socketTest,
    name: "a head that drips past its time is refused",
  },
];
