import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHUNK_EXTRA_BYTES_MAX } from "./chunked-body.ts";
import { type GateRefusal, gateRefusalOnHttp } from "./gate-refusal.ts";
import { BLANK_BYTES_MAX, BLANKS_MAX, HEADER_LINES_MAX, RequestGate } from "./request-gate.ts";

const limits = { headBytesMax: 2_048, bodyBytesMax: 1_024 };

interface Seen {
  readonly passed: string;
  readonly taken: number;
  readonly refused: GateRefusal | undefined;
  readonly gate: RequestGate;
}

/** Feeds the text in pieces of the given sizes (over and over), as long as one request takes it. */
function feed(text: string, sizes: readonly number[] = [text.length]): Seen {
  const gate = new RequestGate(limits);
  const bytes = Buffer.from(text, "latin1");
  let passed = "";
  let taken = 0;
  for (let turn = 0; taken < bytes.length; turn++) {
    const piece = bytes.subarray(taken, taken + Math.max(sizes[turn % sizes.length] ?? 1, 1));
    const part = gate.take(piece);
    passed += Buffer.concat(part.passed).toString("latin1");
    taken += part.taken;
    if (part.refused !== undefined) return { passed, taken, refused: part.refused, gate };
    if (part.taken < piece.length) break;
  }
  return { passed, taken, refused: undefined, gate };
}

const host = "Host: x\r\n";
const post = (headers: string, body = "") => `POST /a HTTP/1.1\r\n${host}${headers}\r\n${body}`;
const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body);

for (const [sentence, text, canonical] of [
  [
    "bare line feeds and two blanks",
    "POST  /a HTTP/1.1\nHost: x\nmethod: post\r\nContent-Length: 2\n\r\n{}",
    "POST /a HTTP/1.1\r\nHost: x\r\nmethod: post\r\nContent-Length: 2\r\n\r\n{}",
  ],
  [
    "blank lines before a request",
    "\r\n\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    `GET /a HTTP/1.1\r\n${host}\r\n`,
  ],
  ["blanks around a value", "GET /a HTTP/1.1\r\nHost:x\t \r\n\r\n", `GET /a HTTP/1.1\r\n${host}\r\n`],
  [
    "an absolute target",
    `GET hTTps://other:1/a?b=c HTTP/1.1\r\n${host}\r\n`,
    `GET /a?b=c HTTP/1.1\r\n${host}\r\n`,
  ],
  [
    "an absolute target without a path",
    `GET http://o?b HTTP/1.1\r\n${host}\r\n`,
    `GET /?b HTTP/1.1\r\n${host}\r\n`,
  ],
  [
    "a URL as host",
    "GET /a HTTP/1.1\r\nHost: https://x/y\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: https://x/y\r\n\r\n",
  ],
  ["HTTP/1.0 without a host", "GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"],
  [
    "an upgrade, by leaving it out",
    `GET /a HTTP/1.1\r\n${host}Upgrade: h2c\r\n\r\n`,
    `GET /a HTTP/1.1\r\n${host}\r\n`,
  ],
  [
    "chunks, without their extensions and trailers",
    chunked("00003;a=b\r\nabc\r\nA\r\n0123456789\r\n0;x\r\nContent-Length: 9\r\n\r\n"),
    chunked("3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"),
  ],
] as const) {
  test(`the gate understands ${sentence}, and passes it on written anew`, () => {
    const seen = feed(text);

    assert.deepEqual([seen.refused, seen.passed, seen.gate.phase], [undefined, canonical, "complete"]);
  });
}

for (const [because, text] of [
  ["carriage_return_alone", "GET /a HTTP/1.1\rHost: x\r\n\r\n"],
  ["carriage_return_alone", post("a: b\rcontent-length: 5\r\n")],
  ["carriage_return_alone", post("a: b\r\r\n")],
  ["control_character", post("a: b\0c\r\n")],
  ["control_character", post("a: b\x7f\r\n")],
  ["control_character", "\x16\x03\x01"],
  ["blank_lines_too_many", "\r\n".repeat(BLANK_BYTES_MAX)],
  ["head_too_large", `GET /${"a".repeat(limits.headBytesMax)}`],
  ["headers_too_many", post("a: b\r\n".repeat(HEADER_LINES_MAX))],
  ["request_line", `GET /a\r\n${host}\r\n`],
  ["request_line", `GET\t/a HTTP/1.1\r\n${host}\r\n`],
  ["request_line", ` GET /a HTTP/1.1\r\n${host}\r\n`],
  ["request_line", `get /a HTTP/1.1\r\n${host}\r\n`],
  ["request_line", `GET /a HTTP/1.1 \r\n${host}\r\n`],
  ["request_line", `GET ${" ".repeat(BLANKS_MAX)}/a HTTP/1.1\r\n${host}\r\n`],
  ["request_line", `GET /a b HTTP/1.1\r\n${host}\r\n`],
  ["request_line", `GET /\xe4 HTTP/1.1\r\n${host}\r\n`],
  ["version", `GET /a HTTP/1.2\r\n${host}\r\n`],
  ["version", "PRI * HTTP/2.0\r\n\r\n"],
  ["version", `GET /a HTTP/0.9\r\n${host}\r\n`],
  ["method_unknown", `CONNECT x:443 HTTP/1.1\r\n${host}\r\n`],
  ["method_unknown", `SMUGGLE /a HTTP/1.1\r\n${host}\r\n`],
  ["target", `GET x:443 HTTP/1.1\r\n${host}\r\n`],
  ["target", `GET * HTTP/1.1\r\n${host}\r\n`],
  ["target", `GET /a#b HTTP/1.1\r\n${host}\r\n`],
  ["target", `GET http:///a HTTP/1.1\r\n${host}\r\n`],
  ["target", `GET http://x@y/a HTTP/1.1\r\n${host}\r\n`],
  ["header_folded", post("a: b\r\n content-length: 5\r\n")],
  ["header_folded", post("a: b\n\tc\r\n")],
  ["header_name", post("Content-Length : 2\r\n")],
  ["header_name", post("no colon\r\n")],
  ["header_name", post(": b\r\n")],
  ["header_name", post("a\xe4: b\r\n")],
  ["header_repeated", post("Content-Length: 2\r\ncontent-length: 2\r\n")],
  ["header_repeated", post("Host: y\r\n")],
  ["header_repeated", post("Authorization: a\r\nauthorization: b\r\n")],
  ["header_repeated", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")],
  ["host", "GET /a HTTP/1.1\r\n\r\n"],
  ["host", "GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n"],
  ["host", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n"],
  ["expectation", post("Expect: 200-ok\r\n")],
  ["framing_twice", post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n")],
  ["framing_twice", post("Transfer-Encoding: identity\r\nContent-Length: 2\r\n")],
  ["content_length", post("Content-Length: +2\r\n")],
  ["content_length", post("Content-Length: -2\r\n")],
  ["content_length", post("Content-Length: 2, 2\r\n")],
  ["content_length", post("Content-Length: 2 2\r\n")],
  ["content_length", post("Content-Length: 0x2\r\n")],
  ["content_length", post("Content-Length:\r\n")],
  ["content_length", post(`Content-Length: ${"9".repeat(30)}\r\n`)],
  ["transfer_encoding", post("Transfer-Encoding: gzip, chunked\r\n")],
  ["transfer_encoding", post("Transfer-Encoding: chunked, identity\r\n")],
  ["transfer_encoding", post("Transfer-Encoding: xchunked\r\n")],
  ["transfer_encoding", post("Transfer-Encoding:\r\n")],
  ["transfer_encoding", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["chunk_malformed", chunked("2 \r\n{}\r\n0\r\n\r\n")],
  ["chunk_malformed", chunked("2\n{}\n0\n\n")],
  ["chunk_malformed", chunked("2\r\n{}0\r\n\r\n")],
  ["chunk_malformed", chunked("\r\n")],
  ["chunk_malformed", chunked("0x2\r\n{}\r\n0\r\n\r\n")],
  ["chunk_malformed", chunked("-2\r\n{}\r\n0\r\n\r\n")],
  ["chunk_malformed", chunked("2;a\nb\r\n{}\r\n0\r\n\r\n")],
  ["chunk_malformed", chunked("0\r\na: b\rc\r\n\r\n")],
  ["chunk_malformed", chunked("0\r\n\rX")],
  ["chunk_malformed", chunked(`1;${"x".repeat(CHUNK_EXTRA_BYTES_MAX + 1)}\r\n`)],
  ["chunk_malformed", chunked(`0\r\n${"x".repeat(CHUNK_EXTRA_BYTES_MAX + 1)}\r\n`)],
  ["chunk_malformed", chunked("0".repeat(CHUNK_EXTRA_BYTES_MAX + 2))],
  ["chunk_malformed", chunked("1;aa\r\nx\r\n".repeat(CHUNK_EXTRA_BYTES_MAX / 2 + 1))],
  ["body_too_large", post(`Content-Length: ${limits.bodyBytesMax + 1}\r\n`)],
  ["body_too_large", chunked(`${(limits.bodyBytesMax + 1).toString(16)}\r\n`)],
  ["body_too_large", chunked("FFFFFFFFFFFFFFFF2\r\n")],
  [
    "body_too_large",
    chunked(`${limits.bodyBytesMax.toString(16)}\r\n${"a".repeat(limits.bodyBytesMax)}\r\n1\r\n`),
  ],
] as const) {
  test(`refused as ${because}: ${JSON.stringify(text.slice(0, 90))}`, () => {
    assert.equal(feed(text).refused, because);
    assert.equal(feed(text, [1]).refused, because);
  });
}

test("as much as may be passes: blank lines, header lines, head, body, extensions", () => {
  const blank = "\r\n".repeat(BLANK_BYTES_MAX / 2);
  const lines = "a: b\r\n".repeat(HEADER_LINES_MAX - 2);
  const length = `Content-Length: ${limits.bodyBytesMax}\r\n`;
  const body = "b".repeat(limits.bodyBytesMax);
  const padding = "p".repeat(limits.headBytesMax - post("p: \r\n").length);
  const extensions = chunked(`1;${"x".repeat(CHUNK_EXTRA_BYTES_MAX)}\r\na\r\n0\r\n\r\n`);

  for (const text of [blank + post(lines + length, body), post(`p: ${padding}\r\n`), extensions]) {
    assert.equal(feed(text).gate.phase, "complete");
  }
});

test("what follows a request is not touched until the next one is asked for", () => {
  const gate = new RequestGate(limits);
  const [first, second] = [post("Content-Length: 2\r\n", "{}"), post("")];

  const one = gate.take(Buffer.from(first + second));
  const none = gate.take(Buffer.from(second));
  gate.next();
  const two = gate.take(Buffer.from(second));

  assert.deepEqual([one.taken, none.taken, two.taken], [first.length, 0, second.length]);
});

test("each refusal has its answer, and none is a success", () => {
  for (const [status] of Object.values(gateRefusalOnHttp)) assert.ok(status >= 400);
});

/** Lines and bodies near the grammar, glued at random: more of them pass than of random bytes. */
const pieces = fc.array(
  fc.constantFrom(
    ...[
      "POST /a HTTP/1.1\r\n",
      "GET  /b HTTP/1.1\n",
      "Host: x\r\n",
      "Host: x\n",
      "\r\n",
      "\n",
      "\r",
      " ",
      "\t",
    ],
    ...["Content-Length: 3\r\n", "Content-Length: 3\n", "Transfer-Encoding: chunked\r\n", "a: b\r\n", "abc"],
    ...["3\r\nabc\r\n", "0\r\n\r\n", "3;x=y\r\n", "0\r\n", "\0", "é", ": ", "Connection: close\r\n"],
  ),
  { maxLength: 24 },
);
const requests = pieces.map((parts) => `POST /a HTTP/1.1\r\nHost: x\r\n${parts.join("")}`);

test("however the network cuts a request, the gate passes the same bytes and refuses for the same reason", () => {
  fc.assert(
    fc.property(requests, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (text, sizes) => {
      const whole = feed(text);
      const cut = feed(text, sizes);

      assert.deepEqual([cut.passed, cut.refused, cut.taken], [whole.passed, whole.refused, whole.taken]);
    }),
  );
});
