/**
 * Hostile and sloppy HTTP requests, each with the answers it must get and what may reach the store: data, no code
 * that sends anything.
 *
 * Where two readers could see different requests in the same bytes, the smuggled one is a whole, valid request of
 * an admitted device, so that it would be stored if anybody ever believed in it.
 *
 * Left to others: sending them and counting (`hostile-http.test.ts`).
 */

/** What a row is made of. Header lines end in CRLF. */
export interface Place {
  readonly path: string;
  readonly authorization: string;
  /** A body that publishes this row's own mark, as JSON. */
  readonly json: string;
  /** The mark itself, base64. */
  readonly data: string;
  /** A complete request that publishes `smuggled`. */
  readonly smuggled: string;
}

export interface HostileRequest {
  readonly says: string;
  /** Latin-1: a character is a byte. */
  readonly bytes: (place: Place) => string;
  /** Status codes, in order; 100 counts. */
  readonly answers: readonly number[];
  /** The connection is closed behind the last answer, and nothing later on it is read. */
  readonly isClosed: boolean;
  /** How often this row's mark may be in the store; 0 unless told. */
  readonly stored?: number;
}

const host = "Host: bridge\r\n";

/** A publish with these header lines, and this body. */
function publish(place: Place, headers: string, body: string, start = "POST"): string {
  return `${start} ${place.path}:publishEvent HTTP/1.1\r\n${host}${place.authorization}${headers}\r\n${body}`;
}

function sized(place: Place, body: string, headers = ""): string {
  return publish(place, `${headers}Content-Length: ${Buffer.byteLength(body, "latin1")}\r\n`, body);
}

function chunkOf(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

const refused = { answers: [400], isClosed: true } as const;
const stored = { answers: [200], isClosed: false, stored: 1 } as const;
/** A body that is no JSON: the answer says so, and the connection ends. */
const unread = { answers: [400], isClosed: true } as const;
const invalid = { answers: [400], isClosed: false } as const;

function get(place: Place, suffix: string, headers = ""): string {
  return `GET ${place.path}${suffix} HTTP/1.1\r\n${host}${place.authorization}${headers}\r\n`;
}

/** Framing: where does the body end? */
const framing: readonly HostileRequest[] = [
  {
    says: "CL.TE: Content-Length and chunked together",
    bytes: (p) => publish(p, "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${p.smuggled}`),
    ...refused,
  },
  {
    says: "TE.CL: chunked and Content-Length together",
    bytes: (p) => publish(p, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", `0\r\n\r\n${p.smuggled}`),
    ...refused,
  },
  {
    says: "TE.TE: chunked twice",
    bytes: (p) =>
      publish(p, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${p.smuggled}`),
    ...refused,
  },
  {
    says: "chunked, then identity",
    bytes: (p) => publish(p, "Transfer-Encoding: chunked, identity\r\n", `0\r\n\r\n${p.smuggled}`),
    ...refused,
  },
  {
    says: "gzip, chunked",
    bytes: (p) => publish(p, "Transfer-Encoding: gzip, chunked\r\n", p.smuggled),
    ...refused,
  },
  { says: "xchunked", bytes: (p) => publish(p, "Transfer-Encoding: xchunked\r\n", p.smuggled), ...refused },
  {
    says: "a quoted coding",
    bytes: (p) => publish(p, 'Transfer-Encoding: "chunked"\r\n', p.smuggled),
    ...refused,
  },
  { says: "an empty coding", bytes: (p) => publish(p, "Transfer-Encoding:\r\n", p.smuggled), ...refused },
  {
    says: "a coding behind a vertical tab",
    bytes: (p) => publish(p, "Transfer-Encoding: \vchunked\r\n", p.smuggled),
    ...refused,
  },
  {
    says: "Transfer-Encoding with a blank before its colon",
    bytes: (p) => publish(p, "Transfer-Encoding : chunked\r\nContent-Length: 4\r\n", p.smuggled),
    ...refused,
  },
  {
    says: "Transfer-Encoding in HTTP/1.0",
    bytes: (p) =>
      publish(p, "Transfer-Encoding: chunked\r\n", `0\r\n\r\n${p.smuggled}`).replace("HTTP/1.1", "HTTP/1.0"),
    ...refused,
  },
  {
    says: "two different lengths",
    bytes: (p) =>
      publish(p, `Content-Length: 2\r\nContent-Length: ${p.smuggled.length + 2}\r\n`, `{}${p.smuggled}`),
    ...refused,
  },
  {
    says: "two equal lengths",
    bytes: (p) => publish(p, "Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
    ...refused,
  },
  { says: "a list of lengths", bytes: (p) => publish(p, "Content-Length: 2, 2\r\n", "{}"), ...refused },
  { says: "a length with a plus", bytes: (p) => publish(p, "Content-Length: +2\r\n", "{}"), ...refused },
  { says: "a negative length", bytes: (p) => publish(p, "Content-Length: -2\r\n", "{}"), ...refused },
  {
    says: "a length with a blank in it",
    bytes: (p) => publish(p, "Content-Length: 2 2\r\n", "{}"),
    ...refused,
  },
  { says: "a hexadecimal length", bytes: (p) => publish(p, "Content-Length: 0x2\r\n", "{}"), ...refused },
  { says: "a length with a fraction", bytes: (p) => publish(p, "Content-Length: 2.0\r\n", "{}"), ...refused },
  {
    says: "a length with an exponent",
    bytes: (p) => publish(p, "Content-Length: 1e3\r\n", "{}"),
    ...refused,
  },
  { says: "an empty length", bytes: (p) => publish(p, "Content-Length:\r\n", p.smuggled), ...refused },
  {
    says: "a length above 2^64",
    bytes: (p) => publish(p, "Content-Length: 18446744073709551618\r\n", "{}"),
    ...refused,
  },
  {
    says: "a length above the maximum",
    bytes: (p) => publish(p, "Content-Length: 524289\r\n", "{}"),
    ...refused,
  },
  {
    says: "a length with zeros before it",
    bytes: (p) => publish(p, `Content-Length: 000${p.json.length}\r\n`, p.json),
    ...stored,
  },
  {
    says: "Content-Length with a blank before its colon",
    bytes: (p) => publish(p, `Content-Length : ${p.smuggled.length}\r\n`, p.smuggled),
    ...refused,
  },
  {
    says: "content_length, which is no length",
    bytes: (p) => publish(p, "content_length: 999\r\nContent-Length: 2\r\n", "{}"),
    answers: [200],
    isClosed: false,
  },
  {
    says: "a length too short by some",
    bytes: (p) => publish(p, `Content-Length: ${p.json.length}\r\n`, `${p.json}xyz`),
    answers: [200, 400],
    isClosed: true,
    stored: 1,
  },
  {
    says: "a body of a GET, which is the GET's",
    bytes: (p) => get(p, "/config", `Content-Length: ${p.smuggled.length}\r\n`) + p.smuggled,
    answers: [200],
    isClosed: false,
  },
  {
    says: "a body behind a request that is not admitted, which is its own",
    bytes: (p) =>
      `POST ${p.path}:publishEvent HTTP/1.1\r\n${host}Content-Length: ${p.smuggled.length}\r\n\r\n${p.smuggled}`,
    answers: [401],
    isClosed: false,
  },
];

/** Chunks. */
const chunks: readonly HostileRequest[] = [
  {
    says: "an honest chunked body",
    bytes: (p) => publish(p, "Transfer-Encoding: chunked\r\n", `${chunkOf(p.json)}0\r\n\r\n`),
    ...stored,
  },
  {
    says: "chunk extensions and trailers, which are ignored",
    bytes: (p) =>
      publish(
        p,
        "Transfer-Encoding: Chunked\r\n",
        `${p.json.length.toString(16)};a="b"\r\n${p.json}\r\n0;c\r\nContent-Length: 99\r\nAuthorization: x\r\n\r\n`,
      ),
    ...stored,
  },
  ...(
    [
      ["a chunk size that overflows", "FFFFFFFFFFFFFFFE\r\n"],
      ["a chunk size that wraps to 2", "10000000000000002\r\n{}\r\n0\r\n\r\n"],
      ["a chunk size with a sign", "+2\r\n{}\r\n0\r\n\r\n"],
      ["a chunk size with 0x", "0x2\r\n{}\r\n0\r\n\r\n"],
      ["a chunk size with a blank behind it", "2 \r\n{}\r\n0\r\n\r\n"],
      ["a chunk size with a blank before it", " 2\r\n{}\r\n0\r\n\r\n"],
      ["an empty chunk size", "\r\n{}\r\n0\r\n\r\n"],
      ["a bare LF behind a chunk size", "2\n{}\r\n0\r\n\r\n"],
      ["a CR alone behind a chunk size", "2\r{}\r\n0\r\n\r\n"],
      ["a bare LF behind a chunk", "2\r\n{}\n0\r\n\r\n"],
      ["no line end behind a chunk", "2\r\n{}0\r\n\r\n"],
      ["a chunk longer than its size", "1\r\n{}\r\n0\r\n\r\n"],
      ["a bare LF in a chunk extension", "2;a\nb\r\n{}\r\n0\r\n\r\n"],
      ["a bare LF as the last line's end", "2\r\n{}\r\n0\r\n\n"],
      ["a chunk extension of 2 KiB", `2;${"a".repeat(2_048)}\r\n{}\r\n0\r\n\r\n`],
      ["trailers of 2 KiB", `2\r\n{}\r\n0\r\n${"a: b\r\n".repeat(400)}\r\n`],
      ["a NUL in a trailer", "2\r\n{}\r\n0\r\na: \0\r\n\r\n"],
    ] as const
  ).map(([says, body]) => ({
    says,
    bytes: (p: Place) => publish(p, "Transfer-Encoding: chunked\r\n", body + p.smuggled),
    ...refused,
  })),
  {
    says: "a chunked body above the maximum",
    bytes: (p) => publish(p, "Transfer-Encoding: chunked\r\n", chunkOf(" ".repeat(65_536)).repeat(9)),
    ...refused,
  },
];

/** Lines of the head. */
const lines: readonly HostileRequest[] = [
  {
    says: "bare LF, two blanks, a stray header, blank lines behind the body: real firmware",
    bytes: (p) =>
      `POST  ${p.path}:publishEvent HTTP/1.1\nHost: bridge\nmethod: post\r\n${p.authorization}` +
      `Content-Length: ${p.json.length}\n\n${p.json}\r\n\r\n`,
    ...stored,
  },
  { says: "a CR alone as a line's end", bytes: (p) => sized(p, p.json, "a: b\rc: d\r\n"), ...refused },
  {
    says: "a length behind a CR alone",
    bytes: (p) => publish(p, `a: b\rContent-Length: ${p.smuggled.length}\r\n`, p.smuggled),
    ...refused,
  },
  { says: "CR CR LF as a line's end", bytes: (p) => sized(p, p.json, "a: b\r\r\n"), ...refused },
  { says: "a NUL in a header", bytes: (p) => sized(p, p.json, "a: b\0c\r\n"), ...refused },
  { says: "a NUL in the target", bytes: (p) => get(p, "/config\0"), ...refused },
  { says: "a BEL in a header's name", bytes: (p) => sized(p, p.json, "a\x07: b\r\n"), ...refused },
  {
    says: "a folded length",
    bytes: (p) => publish(p, `a: b\r\n Content-Length: ${p.smuggled.length}\r\n`, p.smuggled),
    ...refused,
  },
  { says: "a value folded by a tab", bytes: (p) => sized(p, p.json, "a: b\r\n\tc\r\n"), ...refused },
  {
    says: "a folded line behind the request line",
    bytes: (p) => `GET ${p.path}/config HTTP/1.1\r\n ${host}${p.authorization}\r\n`,
    ...refused,
  },
  { says: "a header without a colon", bytes: (p) => sized(p, p.json, "nothing\r\n"), ...refused },
  { says: "a header without a name", bytes: (p) => sized(p, p.json, ": b\r\n"), ...refused },
  { says: "a header's name with a blank in it", bytes: (p) => sized(p, p.json, "a b: c\r\n"), ...refused },
  { says: "a header's name outside ASCII", bytes: (p) => sized(p, p.json, "\xe4: c\r\n"), ...refused },
  {
    says: "a value outside ASCII, which nobody reads",
    bytes: (p) => sized(p, p.json, "a: \xe4\r\n"),
    ...stored,
  },
  {
    says: "two tokens",
    bytes: (p) => sized(p, p.json, "Authorization: Bearer x.y.z\r\n"),
    ...refused,
  },
  {
    says: "the token of another scheme",
    bytes: (p) => sized(p, p.json).replace("Bearer", "Basic"),
    answers: [403],
    isClosed: false,
  },
  {
    says: "a head above 16 KiB",
    bytes: (p) => sized(p, p.json, `a: ${"b".repeat(16_384)}\r\n`),
    answers: [431],
    isClosed: true,
  },
  {
    says: "one endless header line",
    bytes: () => `GET / HTTP/1.1\r\na: ${"b".repeat(200_000)}`,
    answers: [431],
    isClosed: true,
  },
  {
    says: "65 header lines",
    bytes: (p) => sized(p, p.json, "a: b\r\n".repeat(62)),
    answers: [431],
    isClosed: true,
  },
  { says: "64 header lines", bytes: (p) => sized(p, p.json, "a: b\r\n".repeat(61)), ...stored },
  { says: "blank lines without end", bytes: () => "\r\n".repeat(5_000), ...refused },
  {
    says: "X-HTTP-Method-Override",
    bytes: (p) => get(p, "/config", "X-HTTP-Method-Override: DELETE\r\n"),
    answers: [200],
    isClosed: false,
  },
];

/** The request line, its target, its version, the host. */
const targets: readonly HostileRequest[] = [
  { says: "no version: HTTP/0.9", bytes: (p) => `GET ${p.path}/config\r\n\r\n`, ...refused },
  {
    says: "HTTP/1.2",
    bytes: (p) => get(p, "/config").replace("HTTP/1.1", "HTTP/1.2"),
    answers: [505],
    isClosed: true,
  },
  {
    says: "HTTP/2.0 in HTTP/1's form",
    bytes: (p) => get(p, "/config").replace("HTTP/1.1", "HTTP/2.0"),
    answers: [505],
    isClosed: true,
  },
  {
    says: "the preface of HTTP/2",
    bytes: () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    answers: [505],
    isClosed: true,
  },
  { says: "hTTp/1.1", bytes: (p) => get(p, "/config").replace("HTTP/1.1", "hTTp/1.1"), ...refused },
  {
    says: "HTTP/1.0, closed behind its answer",
    bytes: (p) => sized(p, p.json).replace("HTTP/1.1", "HTTP/1.0"),
    answers: [200],
    isClosed: true,
    stored: 1,
  },
  {
    says: "bytes behind a request that closes",
    bytes: (p) => get(p, "/config", "Connection: close\r\n") + p.smuggled,
    answers: [200],
    isClosed: true,
  },
  {
    says: "an upgrade to h2c, which is ignored",
    bytes: (p) =>
      sized(
        p,
        p.json,
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
      ),
    ...stored,
  },
  {
    says: "an upgrade to WebSocket, which is ignored",
    bytes: (p) =>
      get(p, "/config", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n"),
    answers: [200],
    isClosed: false,
  },
  {
    says: "CONNECT",
    bytes: () => `CONNECT other:443 HTTP/1.1\r\n${host}\r\n`,
    answers: [501],
    isClosed: true,
  },
  { says: "TRACE", bytes: (p) => get(p, "/config").replace("GET", "TRACE"), answers: [501], isClosed: true },
  {
    says: "an unknown method",
    bytes: (p) => get(p, "/config").replace("GET", "SMUGGLE"),
    answers: [501],
    isClosed: true,
  },
  { says: "a method in small letters", bytes: (p) => get(p, "/config").replace("GET", "get"), ...refused },
  { says: "a method behind a blank", bytes: (p) => ` ${get(p, "/config")}`, ...refused },
  { says: "a tab in the request line", bytes: (p) => get(p, "/config").replace("GET ", "GET\t"), ...refused },
  {
    says: "five blanks in the request line",
    bytes: (p) => get(p, "/config").replace("GET ", "GET     "),
    ...refused,
  },
  { says: "HEAD", bytes: (p) => get(p, "/config").replace("GET", "HEAD"), answers: [405], isClosed: false },
  {
    says: "OPTIONS",
    bytes: (p) => get(p, "/config").replace("GET", "OPTIONS"),
    answers: [405],
    isClosed: false,
  },
  { says: "OPTIONS *", bytes: () => `OPTIONS * HTTP/1.1\r\n${host}\r\n`, answers: [404], isClosed: false },
  { says: "GET *", bytes: () => `GET * HTTP/1.1\r\n${host}\r\n`, ...refused },
  {
    says: "DELETE",
    bytes: (p) => get(p, "/config").replace("GET", "DELETE"),
    answers: [405],
    isClosed: false,
  },
  { says: "GET of publishEvent", bytes: (p) => get(p, ":publishEvent"), answers: [405], isClosed: false },
  {
    says: "an absolute target, whatever its host",
    bytes: (p) => sized(p, p.json).replace("POST ", "POST https://other.example:99"),
    ...stored,
  },
  {
    says: "an absolute target with a user",
    bytes: (p) => get(p, "/config").replace("GET ", "GET https://a@b"),
    ...refused,
  },
  {
    says: "an absolute target of another scheme",
    bytes: (p) => get(p, "/config").replace("GET ", "GET file://b"),
    ...refused,
  },
  { says: "an authority as target", bytes: () => `GET other:443 HTTP/1.1\r\n${host}\r\n`, ...refused },
  { says: "a target with a fragment", bytes: (p) => get(p, "/config#x"), ...refused },
  { says: "a target outside ASCII", bytes: (p) => get(p, "/config\xff"), ...refused },
  {
    says: "a target that begins with two slashes",
    bytes: (p) => get(p, "/config").replace("GET ", "GET /"),
    answers: [404],
    isClosed: false,
  },
  { says: "a backslash in the target", bytes: (p) => get(p, "\\config"), answers: [404], isClosed: false },
  { says: "no host", bytes: (p) => sized(p, p.json).replace(host, ""), ...refused },
  { says: "two hosts", bytes: (p) => sized(p, p.json, host), ...refused },
  { says: "a list of hosts", bytes: (p) => sized(p, p.json).replace(host, "Host: a, b\r\n"), ...refused },
  {
    says: "a URL as host, as firmware has been seen to send",
    bytes: (p) => sized(p, p.json).replace(host, "Host: https://a/b\r\n"),
    ...stored,
  },
  {
    says: "a foreign host",
    bytes: (p) => sized(p, p.json).replace(host, "Host: other.example\r\n"),
    ...stored,
  },
  { says: "an empty host", bytes: (p) => sized(p, p.json).replace(host, "Host:\r\n"), ...stored },
];

/** Paths and queries: who is meant? */
const paths: readonly HostileRequest[] = [
  {
    says: "a slash encoded in the device's id",
    bytes: (p) => get(p, "%2Fconfig"),
    answers: [404],
    isClosed: false,
  },
  { says: "a slash encoded behind the device's id", bytes: (p) => get(p, "%2Fx/config"), ...invalid },
  {
    says: "a whole name encoded into the project",
    bytes: (p) => get(p, "/config").replace("/locations/", "%2Flocations%2F"),
    answers: [404],
    isClosed: false,
  },
  { says: "a NUL encoded in the device's id", bytes: (p) => get(p, "%00/config"), ...invalid },
  { says: "a line end encoded in the device's id", bytes: (p) => get(p, "%0d%0aX:%20y/config"), ...invalid },
  { says: "a percent sign without its digits", bytes: (p) => get(p, "%zz/config"), ...invalid },
  { says: "an overlong encoding of a slash", bytes: (p) => get(p, "%c0%af/config"), ...invalid },
  {
    says: "the device's id encoded twice",
    bytes: (p) => get(p, "/config").replace("hostile-1", "hostile%252D1"),
    answers: [403],
    isClosed: false,
  },
  {
    says: "the device's id encoded once, which is its id",
    bytes: (p) => get(p, "/config").replace("hostile-1", "%68ostile%2D1"),
    answers: [200],
    isClosed: false,
  },
  {
    says: "dots up and down again",
    bytes: (p) => get(p, "/../hostile-1/config"),
    answers: [404],
    isClosed: false,
  },
  { says: "encoded dots", bytes: (p) => get(p, "/%2e%2e/hostile-1/config"), answers: [404], isClosed: false },
  { says: "dots as the device's id", bytes: (p) => get(p, "/config").replace("hostile-1", ".."), ...invalid },
  { says: "a path parameter behind the device's id", bytes: (p) => get(p, ";x=y/config"), ...invalid },
  {
    says: "an encoded verb",
    bytes: (p) => sized(p, p.json).replace(":publishEvent", "%3ApublishEvent"),
    answers: [404],
    isClosed: false,
  },
  {
    says: "two verbs",
    bytes: (p) => sized(p, p.json).replace(":publishEvent", ":setState:publishEvent"),
    answers: [404],
    isClosed: false,
  },
  {
    says: "a verb in other letters",
    bytes: (p) => sized(p, p.json).replace(":publishEvent", ":PUBLISHEVENT"),
    answers: [404],
    isClosed: false,
  },
  {
    says: "an empty project",
    bytes: (p) => get(p, "/config").replace("projects/mayfly", "projects/"),
    ...invalid,
  },
  {
    says: "a device's id of 1,000 characters",
    bytes: (p) => get(p, `${"a".repeat(1_000)}/config`),
    ...invalid,
  },
  { says: "a slash at the end", bytes: (p) => get(p, "/config/"), answers: [404], isClosed: false },
  {
    says: "another device's path with this one's token",
    bytes: (p) => sized(p, p.json).replace("hostile-1", "honest-1"),
    answers: [403],
    isClosed: false,
  },
  { says: "localVersion twice", bytes: (p) => get(p, "/config?localVersion=0&localVersion=9"), ...invalid },
  {
    says: "localVersion and local_version",
    bytes: (p) => get(p, "/config?localVersion=0&local_version=9"),
    ...invalid,
  },
  { says: "a local version that is no number", bytes: (p) => get(p, "/config?localVersion=0x1"), ...invalid },
  { says: "a negative local version", bytes: (p) => get(p, "/config?localVersion=-1"), ...invalid },
  {
    says: "a local version above 2^53",
    bytes: (p) => get(p, "/config?localVersion=9007199254740993"),
    ...invalid,
  },
  {
    says: "a local version above 2^64",
    bytes: (p) => get(p, "/config?localVersion=99999999999999999999"),
    ...invalid,
  },
  {
    says: "a local version with brackets",
    bytes: (p) => get(p, "/config?localVersion[]=9"),
    answers: [200],
    isClosed: false,
  },
  {
    says: "Google's query parameters",
    bytes: (p) => get(p, "/config?alt=json&$alt=json%3Benum-encoding=int&key=k&prettyPrint=false&fields=x"),
    answers: [200],
    isClosed: false,
  },
  {
    says: "__proto__ in the query",
    bytes: (p) => get(p, "/config?__proto__[localVersion]=9&constructor=x&__proto__=1"),
    answers: [200],
    isClosed: false,
  },
  {
    says: "the token in the query alone",
    bytes: (p) => get(p, "/config?access_token=x.y.z").replace(p.authorization, ""),
    answers: [401],
    isClosed: false,
  },
  {
    says: "4,000 query parameters",
    bytes: (p) => get(p, `/config?${"a=b&".repeat(3_500)}`),
    answers: [200],
    isClosed: false,
  },
];

/** Bodies. */
const bodies: readonly HostileRequest[] = [
  { says: "no body", bytes: (p) => publish(p, "", ""), answers: [200], isClosed: false },
  { says: "JSON cut short", bytes: (p) => sized(p, p.json.slice(0, -1)), ...unread },
  { says: "JSON with something behind it", bytes: (p) => sized(p, `${p.json}{}`), ...unread },
  { says: "a list", bytes: (p) => sized(p, "[]"), ...invalid },
  { says: "null", bytes: (p) => sized(p, "null"), answers: [200], isClosed: false },
  { says: "text", bytes: (p) => sized(p, '"x"'), ...invalid },
  { says: "an unknown member", bytes: (p) => sized(p, '{"binaryDate": ""}'), ...invalid },
  {
    says: "the data in both spellings",
    bytes: (p) => sized(p, `{"binaryData":"${p.data}","binary_data":"${p.data}"}`),
    ...invalid,
  },
  {
    says: "the data twice, of which the last counts",
    bytes: (p) => sized(p, `{"binaryData":"eA==","binaryData":"${p.data}"}`),
    ...stored,
  },
  { says: "__proto__", bytes: (p) => sized(p, `{"__proto__":{"binaryData":"${p.data}"}}`), ...invalid },
  {
    says: "constructor and prototype",
    bytes: (p) => sized(p, `{"constructor":{"prototype":{"binaryData":"${p.data}"}}}`),
    ...invalid,
  },
  { says: "100,000 open brackets", bytes: (p) => sized(p, "[".repeat(100_000)), ...unread },
  {
    says: "100,000 nested members",
    bytes: (p) => sized(p, `${'{"a":'.repeat(80_000)}1${"}".repeat(80_000)}`),
    ...invalid,
  },
  {
    says: "a number of 100,000 digits as data",
    bytes: (p) => sized(p, `{"binaryData":${"9".repeat(100_000)}}`),
    ...invalid,
  },
  { says: "1e999 as data", bytes: (p) => sized(p, '{"binaryData":1e999}'), ...invalid },
  { says: "true as data", bytes: (p) => sized(p, '{"binaryData":true}'), ...invalid },
  { says: "base64 that is none", bytes: (p) => sized(p, '{"binary_data":"123"}'), ...invalid },
  { says: "base64 with a line end", bytes: (p) => sized(p, '{"binary_data":"aGk=\\n"}'), ...invalid },
  { says: "base64 with half its padding", bytes: (p) => sized(p, '{"binary_data":"aA="}'), ...invalid },
  { says: "a byte order mark", bytes: (p) => sized(p, `\xef\xbb\xbf${p.json}`), ...unread },
  { says: "UTF-16", bytes: (p) => sized(p, [...p.json].join("\0")), ...unread },
  { says: "bytes that are not UTF-8", bytes: (p) => sized(p, '{"subFolder":"\xff"}'), ...unread },
  {
    says: "a foreign charset, which is not looked at",
    bytes: (p) => sized(p, p.json, "Content-Type: text/plain; charset=utf-16\r\n"),
    ...stored,
  },
  {
    says: "a malformed Content-Type",
    bytes: (p) => sized(p, p.json, "Content-Type: ;;,\r\n"),
    ...invalid,
  },
  {
    says: "a form",
    bytes: (p) => sized(p, `binaryData=${p.data}`, "Content-Type: application/x-www-form-urlencoded\r\n"),
    ...unread,
  },
  {
    says: "gzip",
    bytes: (p) =>
      sized(
        p,
        "\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0",
        "Content-Encoding: gzip\r\n",
      ),
    ...unread,
  },
  {
    says: "a subfolder with dots up",
    bytes: (p) => sized(p, `{"subFolder":"../x","binaryData":"${p.data}"}`),
    ...invalid,
  },
  {
    says: "a subfolder with a NUL",
    bytes: (p) => sized(p, `{"subFolder":"a\\u0000","binaryData":"${p.data}"}`),
    ...invalid,
  },
  {
    says: "a subfolder of 257 bytes",
    bytes: (p) => sized(p, `{"subFolder":"${"a".repeat(257)}","binaryData":"${p.data}"}`),
    ...invalid,
  },
  {
    says: "an event above 256 KiB",
    bytes: (p) => sized(p, `{"binaryData":"${"A".repeat(349_528)}"}`),
    ...invalid,
  },
  {
    says: "half a surrogate as message id, which is an id like others",
    bytes: (p) => sized(p, `{"binaryData":"${p.data}","messageId":"\\ud800"}`),
    ...stored,
  },
  {
    says: "100-continue",
    bytes: (p) => sized(p, p.json, "Expect: 100-continue\r\n"),
    answers: [100, 200],
    isClosed: false,
    stored: 1,
  },
  {
    says: "another expectation",
    bytes: (p) => sized(p, p.json, "Expect: 200-ok\r\n"),
    answers: [417],
    isClosed: true,
  },
  {
    says: "two expectations",
    bytes: (p) => sized(p, p.json, "Expect: 100-continue\r\nExpect: 100-continue\r\n"),
    ...refused,
  },
];

export const hostileRequests: readonly HostileRequest[] = [
  ...framing,
  ...chunks,
  ...lines,
  ...targets,
  ...paths,
  ...bodies,
];
