/**
 * Hostile device tokens: each row makes one for a device of its own, and says what the registry's authentication
 * record must name it, in both presets.
 *
 * The signature is right unless the row is about signatures: a forger's token fails anyway, what counts is that a key's
 * owner cannot make us read a token in two ways. `accepted` rows are the border: what is harmless is taken.
 */
import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { TokenErrorCode } from "@mayfly/core/token";

/** What a row's token may use. */
export interface Victim {
  /** Seconds since 1970. */
  readonly now: number;
  readonly project: string;
  readonly clientIdentifier: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Another device of the same registry. */
  readonly other: { readonly clientIdentifier: string; readonly privateKey: KeyObject };
}

export type Verdict = "accepted" | TokenErrorCode;
/** What was done to the device, or which name is used in its place, before the token is shown. */
export type Standing =
  | "blocked"
  | "key retired"
  | "key revoked"
  | "key expired"
  | "tokens of before refused"
  | "no key"
  | "unknown device"
  | "unknown registry"
  | "unknown location";

export interface TokenRow {
  readonly what: string;
  readonly token: (victim: Victim) => string | Buffer;
  readonly strict: Verdict;
  readonly iotCore: Verdict;
  /** Where HTTP cannot carry such a token: the verdict on what it makes of it, or 400 for a request that is none. */
  readonly http?: Verdict | "bad request";
  readonly standing?: Standing;
}

interface Parts {
  /** Members to add or change, or the whole text. */
  readonly header?: Readonly<Record<string, unknown>> | string | Buffer;
  readonly claims?: Readonly<Record<string, unknown>> | string | Buffer;
  readonly key?: KeyObject;
  readonly hash?: string;
  readonly signature?: (signature: Buffer, signingInput: string) => Buffer;
  /** How a segment is written. */
  readonly write?: (bytes: Buffer) => string;
}

export function makeToken(victim: Victim, parts: Parts = {}): string {
  const write = parts.write ?? base64url;
  const segment = (part: Parts["claims"], rest: object): string =>
    write(
      typeof part === "string" || Buffer.isBuffer(part)
        ? Buffer.from(part)
        : Buffer.from(JSON.stringify({ ...rest, ...part })),
    );
  const claims = { aud: victim.project, ...times(victim), sub: victim.clientIdentifier };
  const signingInput = `${segment(parts.header, { alg: "ES256", typ: "JWT" })}.${segment(parts.claims, claims)}`;
  const key = { key: parts.key ?? victim.privateKey, dsaEncoding: "ieee-p1363" } as const;
  const right = sign(parts.hash ?? "sha256", Buffer.from(signingInput), key);
  return `${signingInput}.${write(parts.signature?.(right, signingInput) ?? right)}`;
}

const times = ({ now }: Victim) => ({ iat: now - 5, exp: now + 3_595 });
const base64url = (bytes: Buffer) => bytes.toString("base64url");
const strangers = {
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

type Refused = readonly [what: string, parts: Parts | ((victim: Victim) => Parts)];

function refused(verdict: Verdict, rows: readonly Refused[]): readonly TokenRow[] {
  return rows.map(([what, parts]) => ({
    what,
    token: (victim) => makeToken(victim, typeof parts === "function" ? parts(victim) : parts),
    ...{ strict: verdict, iotCore: verdict },
  }));
}

function differing(strict: Verdict, iotCore: Verdict, rows: readonly Refused[]): readonly TokenRow[] {
  return refused(strict, rows).map((row) => ({ ...row, iotCore }));
}

/** Rows that cut, join and rewrite a right token. */
function rewritten(
  verdict: Verdict,
  rows: readonly (readonly [what: string, rewrite: (token: string, victim: Victim) => string | Buffer])[],
): readonly TokenRow[] {
  return rows.map(([what, rewrite]) => ({
    what,
    token: (victim) => rewrite(makeToken(victim), victim),
    ...{ strict: verdict, iotCore: verdict },
  }));
}

const pem = ({ publicKey }: Victim) => publicKey.export({ type: "spki", format: "pem" });
const der = ({ publicKey }: Victim) => publicKey.export({ type: "spki", format: "der" });
const hmac = (hash: string, secret: string | Buffer) => (_: Buffer, signingInput: string) =>
  createHmac(hash, secret).update(signingInput).digest();

const algorithms: readonly TokenRow[] = [
  ...refused("token_algorithm_unsupported", [
    ...["none", "None", "NONE", "nOnE", ""].map(
      (alg): Refused => [
        `alg "${alg}" with an empty signature`,
        { header: { alg }, signature: () => Buffer.alloc(0) },
      ],
    ),
    ["alg none with a right signature", { header: { alg: "none" } }],
    [
      "HS256 under the public key's PEM",
      (v) => ({ header: { alg: "HS256" }, signature: hmac("sha256", pem(v)) }),
    ],
    [
      "HS256 under the public key's DER",
      (v) => ({ header: { alg: "HS256" }, signature: hmac("sha256", der(v)) }),
    ],
    [
      "HS256 under the public key's point",
      (v) => ({ header: { alg: "HS256" }, signature: hmac("sha256", der(v).subarray(-65)) }),
    ],
    ["HS256 under an empty secret", { header: { alg: "HS256" }, signature: hmac("sha256", "") }],
    [
      "HS512 under the public key's PEM",
      (v) => ({ header: { alg: "HS512" }, signature: hmac("sha512", pem(v)) }),
    ],
    ...[
      "ES384",
      "ES512",
      "ES256K",
      "PS256",
      "RS384",
      "RS512",
      "EdDSA",
      "es256",
      "Es256",
      "rs256",
      "RS1",
      "HS1",
    ].map((alg): Refused => [`alg ${alg}`, { header: { alg } }]),
    ["alg with a blank behind", { header: { alg: "ES256 " } }],
    ["alg with a blank before", { header: { alg: " ES256" } }],
    ["alg with U+0000 behind", { header: { alg: "ES256\u0000" } }],
    ["alg with a Cyrillic E", { header: { alg: "ЕS256" } }],
    ["alg in fullwidth letters", { header: { alg: "ＥＳ２５６" } }],
    ["alg a number", { header: { alg: 256 } }],
    ["alg null", { header: { alg: null } }],
    ["alg true", { header: { alg: true } }],
    ["alg in an array", { header: { alg: ["ES256"] } }],
    ["alg in an object", { header: { alg: { toString: "ES256" } } }],
    ["no alg", { header: `{"typ":"JWT"}` }],
    ["an empty header", { header: "{}" }],
    ["Alg in place of alg", { header: `{"Alg":"ES256","typ":"JWT"}` }],
    ["alg of 4 KiB", { header: { alg: "E".repeat(4_096) } }],
  ]),
  ...refused("token_malformed", [
    ["alg twice, none first", { header: `{"alg":"none","alg":"ES256"}` }],
    ["alg twice, none last", { header: `{"alg":"ES256","alg":"none"}` }],
    ["alg twice, once behind an escape", { header: `{"alg":"ES256","al\\u0067":"none"}` }],
  ]),
  ...refused("key_none", [["RS256 for a device with a key for ES256", { header: { alg: "RS256" } }]]),
];

const jwk = strangers.p256.publicKey.export({ format: "jwk" });
const headers: readonly TokenRow[] = [
  ...refused("token_header_unsupported", [
    ["crit of nothing", { header: { crit: [] } }],
    ["crit of exp", { header: { crit: ["exp"] } }],
    ["crit of b64 (RFC 7797)", { header: { crit: ["b64"], b64: false } }],
    ["crit null", { header: { crit: null } }],
    ["jwk of a stranger, who signed", { header: { jwk }, key: strangers.p256.privateKey }],
    ["jwk of the device itself", (v) => ({ header: { jwk: v.publicKey.export({ format: "jwk" }) } })],
    ["jwk null", { header: { jwk: null } }],
    [
      "jku of a stranger, who signed",
      { header: { jku: "https://localhost/keys" }, key: strangers.p256.privateKey },
    ],
    ["jku into the machine", { header: { jku: "file:///etc/passwd" } }],
    ["x5c", { header: { x5c: ["AA=="] } }],
    ["x5u", { header: { x5u: "http://169.254.169.254/" } }],
    ["kid a number", { header: { kid: 1 } }],
    ["kid null", { header: { kid: null } }],
    ["kid an object", { header: { kid: {} } }],
    ["kid an array", { header: { kid: ["k"] } }],
    ...[
      "JWS",
      "at+jwt",
      "mayfly-possession+jwt",
      "mayfly-key-offer+jwt",
      "",
      "application/jwt",
      "JWT ",
      "JOSE",
    ].map((typ): Refused => [`typ "${typ}"`, { header: { typ } }]),
    ["typ null", { header: { typ: null } }],
    ["typ a number", { header: { typ: 1 } }],
    ["typ an array", { header: { typ: ["JWT"] } }],
  ]),
  ...refused("accepted", [
    ["kid that leaves its folder: a hint, no more", { header: { kid: "../../../../etc/passwd" } }],
    ["kid of SQL", { header: { kid: "' OR 1=1; DROP TABLE device; --" } }],
    ["kid of 4 KiB", { header: { kid: "k".repeat(4_096) } }],
    ["kid empty", { header: { kid: "" } }],
    ["kid __proto__", { header: { kid: "__proto__" } }],
    ["typ in small letters (RFC 7515 §4.1.9)", { header: { typ: "jwt" } }],
    ["no typ (cloud-iot-core.md §3: firmware without it)", { header: `{"alg":"ES256"}` }],
    [
      "members we do not know (RFC 7515 §4)",
      { header: { zip: "DEF", enc: "A128GCM", x5t: "AA", b64: false } },
    ],
    ["__proto__ as a member", { header: `{"__proto__":{"alg":"none"},"alg":"ES256"}` }],
  ]),
];

/** Texts that are no JSON object we take; `%` stands for what a right part would hold. */
const brokenObjects: readonly (readonly [what: string, text: string | Buffer])[] = [
  ["no JSON", "ES256"],
  ["empty", ""],
  ["an array", `[{%}]`],
  ["a string", `"{%}"`],
  ["a number", "1"],
  ["null", "null"],
  ["two objects", "{%}{%}"],
  ["an object and a letter", "{%}x"],
  ["an object without its end", `{%`],
  ["a trailing comma", "{%,}"],
  ["single quotes", "{'alg':'ES256'}"],
  ["a comment", "{%/*x*/}"],
  ["a byte order mark", "\ufeff{%}"],
  ["NaN", `{%,"n":NaN}`],
  ["Infinity", `{%,"n":Infinity}`],
  ["a number with a plus", `{%,"n":+1}`],
  ["a number with a leading zero", `{%,"n":01}`],
  ["a number in hexadecimal", `{%,"n":0x10}`],
  ["a line feed in a string", `{%,"n":"a\nb"}`],
  ["an escape that is none", `{%,"n":"\\x41"}`],
  ["a member twice", `{%,"n":1,"n":1}`],
  ["a nested member twice", `{%,"n":{"m":1,"m":1}}`],
  ["nine objects inside one another", `{%,"n":${`{"n":`.repeat(8)}1${"}".repeat(8)}}`],
  ["129 members", `{%,${Array.from({ length: 129 }, (_, n) => `"m${n}":0`).join()}}`],
];

const forms: readonly TokenRow[] = brokenObjects.flatMap(([what, text]) => {
  const filled = (inner: string) => String(text).replaceAll("%", inner);
  return refused("token_malformed", [
    [`a header that is ${what}`, { header: filled(`"alg":"ES256","typ":"JWT"`) }],
    [
      `a payload that is ${what}`,
      (v) => ({ claims: filled(JSON.stringify({ aud: v.project, ...times(v) }).slice(1, -1)) }),
    ],
  ]);
});

const bytesOf = (inner: string) =>
  Buffer.concat([Buffer.from(`{${inner},"n":"`), Buffer.of(0xff), Buffer.from(`"}`)]);
const notText: readonly TokenRow[] = refused("token_malformed", [
  ["a header that is no UTF-8", { header: bytesOf(`"alg":"ES256"`) }],
  ["a payload that is no UTF-8", (v) => ({ claims: bytesOf(`"aud":"${v.project}"`) })],
]);

const claims: readonly TokenRow[] = [
  ...refused("token_claims_malformed", [
    ["no aud", { claims: { aud: undefined } }],
    [
      "aud an array of the project (cloud-iot-core.md §3: one string)",
      (v) => ({ claims: { aud: [v.project] } }),
    ],
    ["aud an empty array", { claims: { aud: [] } }],
    ["aud a number", { claims: { aud: 1 } }],
    ["aud null", { claims: { aud: null } }],
    ["aud an object", (v) => ({ claims: { aud: { project: v.project } } })],
    ["no iat", { claims: { iat: undefined } }],
    ["no exp", { claims: { exp: undefined } }],
    ["no claims", { claims: "{}" }],
    ["exp as long as iat", (v) => ({ claims: { iat: v.now, exp: v.now } })],
    ["exp before iat", (v) => ({ claims: { iat: v.now, exp: v.now - 1 } })],
    ["iat negative", { claims: { iat: -1 } }],
    ["exp negative", { claims: { exp: -1 } }],
    ["iat with a fraction", (v) => ({ claims: { iat: v.now - 5.5 } })],
    ["exp with a fraction", (v) => ({ claims: { exp: v.now + 600.5 } })],
    ["exp 1e400", (v) => ({ claims: numbers(v, `${v.now}`, "1e400") })],
    ["iat -1e400", (v) => ({ claims: numbers(v, "-1e400", `${v.now + 600}`) })],
    ["exp of 16 digits", (v) => ({ claims: numbers(v, `${v.now}`, "1000000000000000") })],
    ["exp beyond 2^53", (v) => ({ claims: numbers(v, `${v.now}`, "9007199254740993") })],
    ["exp 1e308", (v) => ({ claims: numbers(v, `${v.now}`, "1e308") })],
    ["exp of 4,000 digits", (v) => ({ claims: numbers(v, `${v.now}`, "9".repeat(4_000)) })],
    ["exp null", { claims: { exp: null } }],
    ["exp true", { claims: { exp: true } }],
    ["exp an array", (v) => ({ claims: { exp: [v.now + 600] } })],
    ["exp an object", { claims: { exp: {} } }],
    ["iat null", { claims: { iat: null } }],
    ["exp an empty string", { claims: { exp: "" } }],
    ["exp a word", { claims: { exp: "never" } }],
    ["exp a digit string with a sign", (v) => ({ claims: { exp: `+${v.now + 600}` } })],
    ["exp a digit string with a blank", (v) => ({ claims: { exp: ` ${v.now + 600}` } })],
    ["exp a digit string with a fraction", (v) => ({ claims: { exp: `${v.now + 600}.0` } })],
    ["exp a digit string with an exponent", { claims: { exp: "1e10" } }],
    ["exp a hexadecimal string", (v) => ({ claims: { exp: `0x${(v.now + 600).toString(16)}` } })],
    ["exp a string of 16 digits", { claims: { exp: "1000000000000000" } }],
    ["exp a string of Arabic digits", { claims: { exp: "١٧٠٠٠٠٠٠٠٠" } }],
    ["sub a number", { claims: { sub: 1 } }],
    ["sub null", { claims: { sub: null } }],
    ["sub an array", (v) => ({ claims: { sub: [v.clientIdentifier] } })],
  ]),
  ...differing("token_claims_malformed", "accepted", [
    ["iat and exp digit strings", (v) => ({ claims: { iat: `${v.now - 5}`, exp: `${v.now + 600}` } })],
    ["exp a digit string with leading zeros", (v) => ({ claims: { exp: `00000${v.now + 600}` } })],
    ["nbf a word, which iot-core does not read", { claims: { nbf: "soon" } }],
  ]),
  ...refused("token_audience_mismatch", [
    ["aud empty", { claims: { aud: "" } }],
    ["aud another project", { claims: { aud: "another" } }],
    ["aud in capitals", (v) => ({ claims: { aud: v.project.toUpperCase() } })],
    ["aud with a slash behind", (v) => ({ claims: { aud: `${v.project}/` } })],
    ["aud with a blank behind", (v) => ({ claims: { aud: `${v.project} ` } })],
    ["aud with U+0000 behind", (v) => ({ claims: { aud: `${v.project}\u0000` } })],
    ["aud with a Cyrillic letter", (v) => ({ claims: { aud: v.project.replace("a", "а") } })],
    ["aud with a letter that is decomposed", (v) => ({ claims: { aud: `${v.project}\u0301` } })],
    ["aud the project's number (cloud-iot-core.md §3)", { claims: { aud: "123456789012" } }],
    ["aud a URL", { claims: { aud: "https://cloudiotdevice.googleapis.com/" } }],
    ["aud the device", (v) => ({ claims: { aud: v.clientIdentifier } })],
    ["aud *", { claims: { aud: "*" } }],
    ["aud of 4 KiB", { claims: { aud: "a".repeat(4_096) } }],
  ]),
  ...refused("token_subject_mismatch", [
    ["sub another device", (v) => ({ claims: { sub: v.other.clientIdentifier } })],
    ["sub empty", { claims: { sub: "" } }],
    ["sub in capitals", (v) => ({ claims: { sub: v.clientIdentifier.toUpperCase() } })],
    ["sub with a slash behind", (v) => ({ claims: { sub: `${v.clientIdentifier}/` } })],
    ["sub with a slash before", (v) => ({ claims: { sub: `/${v.clientIdentifier}` } })],
    ["sub the bare device", (v) => ({ claims: { sub: v.clientIdentifier.split("/").at(-1) } })],
    ["sub of another project", (v) => ({ claims: { sub: v.clientIdentifier.replace(v.project, "other") } })],
    [
      "sub that climbs to the device",
      (v) => ({ claims: { sub: `${v.other.clientIdentifier}/../${v.clientIdentifier}` } }),
    ],
  ]),
  ...refused("accepted", [
    ["no sub, from an agent that is not ours", { claims: { sub: undefined } }],
    [
      "claims we do not know (RFC 7519 §4)",
      { claims: { iss: "x", jti: "y", admin: true, exp2: 0, sub2: {} } },
    ],
    ["u a word: another's claim", { claims: { u: "unknown" } }],
    [
      "iat in scientific notation",
      (v) => ({ claims: numbers(v, `${(v.now - 5) / 1e9}e9`, `${v.now + 600}`) }),
    ],
    ["exp with .0", (v) => ({ claims: numbers(v, `${v.now - 5}`, `${v.now + 600}.0`) })],
    ["__proto__ as a claim", (v) => ({ claims: `{"__proto__":{"aud":"x"},${goodClaims(v).slice(1)}` })],
  ]),
];

function numbers({ project }: Victim, iat: string, exp: string): string {
  return `{"aud":"${project}","iat":${iat},"exp":${exp}}`;
}

function goodClaims(victim: Victim): string {
  return JSON.stringify({ aud: victim.project, ...times(victim) });
}

/** Seconds from now; edges leave three seconds for the machine to be slow. */
const at =
  (iat: number, exp: number, more: object = {}): Refused[1] =>
  ({ now }) => ({
    claims: { iat: now + iat, exp: now + exp, ...more },
  });
const day = 86_400;
const timely: readonly TokenRow[] = [
  ...refused("token_expired", [
    ["expired an hour ago", at(-7_200, -3_600)],
    ["expired beyond the grace of iot-core", at(-4_000, -603)],
    ["of 1970", at(-1e9, -1e9 + 3_600)],
  ]),
  ...differing("token_expired", "accepted", [
    ["expired this second", at(-3_600, 0)],
    ["expired a second ago", at(-3_600, -1)],
    ["expired within the grace of iot-core", at(-4_000, -595)],
  ]),
  ...refused("token_from_future", [
    ["issued in an hour", at(3_600, 7_200)],
    ["issued beyond the skew of iot-core", at(605, 4_000)],
    ["in milliseconds", ({ now }) => ({ claims: { iat: now * 1_000, exp: now * 1_000 + 3_600_000 } })],
    ["of the year 33,658", ({ now }) => ({ claims: { iat: 999_999_999_999, exp: 1_000_000_000_000 + now } })],
  ]),
  ...differing("token_from_future", "accepted", [
    ["issued beyond the skew of strict", at(95, 3_600)],
    ["issued within the skew of iot-core", at(595, 3_600)],
  ]),
  ...refused("accepted", [
    ["issued this second", at(0, 3_600)],
    ["issued within the skew of strict", at(85, 3_600)],
    ["for its last seconds", at(-3_600, 5)],
    ["with nbf of before", at(-5, 3_600, { nbf: 1 })],
    ["of a whole day", at(-5, day - 5)],
  ]),
  ...differing("token_not_yet_valid", "accepted", [
    ["nbf in an hour", ({ now }) => ({ claims: { nbf: now + 3_600 } })],
    ["nbf in two minutes", ({ now }) => ({ claims: { nbf: now + 120 } })],
  ]),
  ...refused("token_lifetime_too_long", [
    ["a second more than a day and the skew", at(-5, day + 600 - 4)],
    ["of ten years", at(-5, 3_650 * day)],
    ["without end, to the last digit", ({ now }) => ({ claims: { iat: now, exp: 999_999_999_999_999 } })],
    ["issued in 1970, good until tomorrow", ({ now }) => ({ claims: { iat: 0, exp: now + day } })],
    ["exp in milliseconds", ({ now }) => ({ claims: { exp: (now + 3_600) * 1_000 } })],
  ]),
  ...differing("token_lifetime_too_long", "accepted", [
    ["a second more than a day", at(-5, day - 4)],
    ["of a day and the skew", at(-5, day + 595)],
  ]),
];

const order = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
const prime = Buffer.from("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "hex");
const zero = Buffer.alloc(32);
const one = Buffer.concat([Buffer.alloc(31), Buffer.of(1)]);
const ones = Buffer.alloc(32, 0xff);
const r = (signature: Buffer) => signature.subarray(0, 32);
const s = (signature: Buffer) => signature.subarray(32);
const joined = (...parts: readonly Buffer[]) => Buffer.concat(parts);

/** The signature with s, or with n - s: the half asked for. */
function withHalf(signature: Buffer, half: "low" | "high"): Buffer {
  const n = BigInt(`0x${order.toString("hex")}`);
  const value = BigInt(`0x${s(signature).toString("hex")}`);
  const isLow = value <= n / 2n;
  if (isLow === (half === "low")) return signature;
  return joined(r(signature), Buffer.from((n - value).toString(16).padStart(64, "0"), "hex"));
}

/** ASN.1, as most libraries give it when not asked for R‖S. */
function inDer(signature: Buffer): Buffer {
  const integer = (value: Buffer) => {
    const start = value.findIndex((byte) => byte !== 0);
    const bytes =
      (value[start] ?? 0) >= 0x80 ? joined(Buffer.of(0), value.subarray(start)) : value.subarray(start);
    return joined(Buffer.of(2, bytes.length), bytes);
  };
  const body = joined(integer(r(signature)), integer(s(signature)));
  return joined(Buffer.of(0x30, body.length), body);
}

const form = (signature: (right: Buffer) => Buffer): Parts => ({ signature });
const signatures: readonly TokenRow[] = [
  ...refused("token_signature_malformed", [
    ["an empty signature", form(() => Buffer.alloc(0))],
    ["a signature in DER", form(inDer)],
    ["a signature without its last byte", form((right) => right.subarray(0, 63))],
    ["a signature with a byte behind", form((right) => joined(right, Buffer.of(0)))],
    ["a signature with a byte before", form((right) => joined(Buffer.of(0), right))],
    ["R alone", form(r)],
    ["a signature twice", form((right) => joined(right, right))],
    ["a signature of 4 KiB", form(() => Buffer.alloc(4_096, 1))],
    ["r = 0", form((right) => joined(zero, s(right)))],
    ["s = 0", form((right) => joined(r(right), zero))],
    ["r = s = 0 (CVE-2022-21449)", form(() => joined(zero, zero))],
    ["r = n", form((right) => joined(order, s(right)))],
    ["s = n", form((right) => joined(r(right), order))],
    ["r = s = n", form(() => joined(order, order))],
    ["r = n, s = 1", form(() => joined(order, one))],
    ["r = 0, s = 1", form(() => joined(zero, one))],
    ["r = p", form((right) => joined(prime, s(right)))],
    ["r = 2^256 - 1", form((right) => joined(ones, s(right)))],
    ["r = s = 2^256 - 1", form(() => joined(ones, ones))],
    ["a signature of P-384", { key: strangers.p384.privateKey }],
    ["a signature of RSA", { key: strangers.rsa.privateKey }],
    ["an HMAC under the public key, called ES256", (v) => ({ signature: hmac("sha256", pem(v)) })],
  ]),
  ...refused("token_signature_invalid", [
    ["r = s = 1", form(() => joined(one, one))],
    ["r = s = n - 1", form(() => joined(lessOne(order), lessOne(order)))],
    ["S and R in each other's place", form((right) => joined(s(right), r(right)))],
    ["a first bit that is flipped", form((right) => flipped(right, 0, 0x01))],
    ["a last bit that is flipped", form((right) => flipped(right, 63, 0x01))],
    [
      "R and S in little-endian",
      form((right) => joined(Buffer.from(r(right)).reverse(), Buffer.from(s(right)).reverse())),
    ],
    ["a stranger's signature", { key: strangers.p256.privateKey }],
    ["another device's signature", (v) => ({ key: v.other.privateKey })],
    ["a signature over SHA-384", { hash: "sha384" }],
    ["a signature over SHA-512", { hash: "sha512" }],
    ["a signature over SHA-1", { hash: "sha1" }],
    ["a signature over the digest, hashed again", digestSigned],
    ["a signature over the payload alone", (v) => signedOver(v, (input) => input.split(".")[1] ?? "")],
    ["a signature without the dot", (v) => signedOver(v, (input) => input.replace(".", ""))],
    ["a signature over the decoded text", (v) => signedOver(v, decoded)],
    ["a signature of the device's, of another token", (v) => signedOver(v, (input) => `${input}x`)],
  ]),
  ...refused("accepted", [
    ["s in the lower half (RFC 7518 asks for neither)", form((right) => withHalf(right, "low"))],
    ["n - s: the upper half is as good", form((right) => withHalf(right, "high"))],
  ]),
];

function digestSigned(victim: Victim): Parts {
  return signedOver(victim, (input) => createHash("sha256").update(input).digest());
}

function signedOver({ privateKey }: Victim, input: (signingInput: string) => string | Buffer): Parts {
  return {
    signature: (_, signingInput) =>
      sign("sha256", Buffer.from(input(signingInput)), { key: privateKey, dsaEncoding: "ieee-p1363" }),
  };
}

function decoded(signingInput: string): string {
  return signingInput
    .split(".")
    .map((part) => Buffer.from(part, "base64url").toString())
    .join(".");
}

function lessOne(value: Buffer): Buffer {
  return joined(value.subarray(0, 31), Buffer.of((value[31] ?? 0) - 1));
}

function flipped(bytes: Buffer, index: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ bit;
  return copy;
}

const parts = (token: string) => token.split(".");
const swapped = ([header = "", payload = "", signature = ""]: readonly string[]) =>
  `${payload}.${header}.${signature}`;
/** The same six bits less the ones that no byte needs: another text for the same bytes. */
function nonCanonical(segment: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.at(-1) ?? "") + 1];
}

/** Filled up to exactly so many bytes by members nobody reads: a segment of base64url never has 4n + 1 letters. */
function ofLength(victim: Victim, length: number): string {
  for (const kid of ["", "k", "kk"]) {
    const filled = (filler: number) =>
      makeToken(victim, { header: { kid }, claims: { filler: "x".repeat(filler) } });
    const least = Math.floor(((length - filled(0).length) * 3) / 4);
    for (let filler = least - 1; filler <= least + 1; filler += 1) {
      const token = filled(filler);
      if (token.length === length) return token;
    }
  }
  throw new Error(`no token has ${length} bytes`);
}

const compact: readonly TokenRow[] = [
  ...rewritten("token_malformed", [
    ["nothing", () => ""],
    ["a dot", () => "."],
    ["two dots", () => ".."],
    ["three dots", () => "..."],
    ["one part", (token) => parts(token)[0] ?? ""],
    ["two parts", (token) => parts(token).slice(0, 2).join(".")],
    ["four parts", (token) => `${token}.`],
    ["five parts, as JWE has", (token) => `${token}.AA.AA`],
    ["a dot before", (token) => `.${token}`],
    ["two dots for one", (token) => token.replace(".", "..")],
    ["no header", (token) => `.${parts(token).slice(1).join(".")}`],
    ["an empty payload", (token) => token.replace(/\..*\./, "..")],
    ["a blank within", (token) => token.replace(".", " .")],
    ["quotes around it", (token) => `"${token}"`],
    ["dots written %2E", (token) => token.replaceAll(".", "%2E")],
    ["dots in fullwidth", (token) => token.replaceAll(".", "．")],
    ["the JSON serialization (RFC 7515 §7.2.2)", asJson],
    ["padding of one too many", (token) => `${token}=`],
    ["padding of three", (token) => `${token}===`],
    ["padding within the signature", (token) => token.replace(/(.{4})$/, "==$1")],
    ["trailing bits of the signature that are not 0", (token) => nonCanonical(token)],
    ["a signature cut to 4n + 1 letters", (token) => token.slice(0, -1)],
    ["a letter with an accent in the signature", (token) => `${token.slice(0, -1)}é`],
    ["a letter from elsewhere in the payload", (token) => token.replace(/\.(.)/, ".а")],
    ["a soft hyphen within", (token) => token.replace(".", "\u00ad.")],
    ["a byte order mark before", (token) => `\ufeff${token}`],
    ["a question mark for a letter", (token) => `?${token.slice(1)}`],
    ["an asterisk", () => "*"],
    ["eight thousand dots", () => ".".repeat(8_000)],
  ]),
  ...rewritten("token_algorithm_unsupported", [
    ["header and payload in each other's place", (token) => swapped(parts(token))],
  ]),
  ...rewritten("token_signature_invalid", [
    [
      "the payload of another token",
      (token, victim) => {
        const [header = "", , signature = ""] = parts(token);
        return `${header}.${parts(makeToken(victim, { claims: { jti: "2" } }))[1]}.${signature}`;
      },
    ],
    [
      "the header of another token",
      (token, victim) => {
        const [, payload = "", signature = ""] = parts(token);
        return `${parts(makeToken(victim, { header: { kid: "2" } }))[0]}.${payload}.${signature}`;
      },
    ],
  ]),
  {
    what: "a blank behind, which HTTP does not count to a field's value (RFC 9110 §5.5)",
    token: (victim) => `${makeToken(victim)} `,
    ...{ strict: "token_malformed", iotCore: "token_malformed", http: "accepted" },
  },
  {
    what: "a blank before, which HTTP does not count to a field's value (RFC 9110 §5.5)",
    token: (victim) => ` ${makeToken(victim)}`,
    ...{ strict: "token_malformed", iotCore: "token_malformed", http: "accepted" },
  },
  {
    what: "a line feed and a header of one's own behind",
    token: (victim) => `${makeToken(victim, { key: strangers.p256.privateKey })}\r\nX-Admin: yes`,
    ...{ strict: "token_malformed", iotCore: "token_malformed", http: "token_signature_invalid" },
  },
  {
    what: "U+0000 behind",
    token: (victim) => `${makeToken(victim)}\u0000`,
    ...{ strict: "token_malformed", iotCore: "token_malformed", http: "bad request" },
  },
  {
    what: "bytes that are no text",
    token: () => Buffer.from("ff01fe80".repeat(20), "hex"),
    ...{ strict: "token_malformed", iotCore: "token_malformed", http: "bad request" },
  },
  ...rewritten("token_too_large", [
    ["8 KiB and one more", (_, victim) => ofLength(victim, 8_193)],
    ["12 KiB", (_, victim) => ofLength(victim, 12_288)],
    ["8,193 dots", () => ".".repeat(8_193)],
  ]),
  ...rewritten("accepted", [["8 KiB, the most there may be", (_, victim) => ofLength(victim, 8_192)]]),
  ...differing("token_malformed", "accepted", [
    ["padded segments", { claims: { pad: "x" }, write: (bytes) => padded(bytes.toString("base64url")) }],
    [
      "the standard alphabet, padded",
      { claims: { odd: "???>>>~~~" }, write: (bytes) => bytes.toString("base64") },
    ],
    [
      "the standard alphabet without padding",
      { claims: { odd: "???>>>~~~" }, write: (bytes) => bytes.toString("base64").replaceAll("=", "") },
    ],
  ]),
];

function padded(segment: string): string {
  return segment.padEnd(Math.ceil(segment.length / 4) * 4, "=");
}

function asJson(token: string): string {
  const [header, payload, signature] = parts(token);
  return JSON.stringify({ protected: header, payload, signature });
}

const withStanding = (verdict: Verdict, standing: Standing, parts: Parts = {}): TokenRow => ({
  what: `a device with: ${standing}`,
  token: (victim) => makeToken(victim, parts),
  ...{ strict: verdict, iotCore: verdict, standing },
});
const standings: readonly TokenRow[] = [
  withStanding("device_blocked", "blocked"),
  withStanding("key_retired", "key retired"),
  withStanding("key_revoked", "key revoked"),
  withStanding("key_expired", "key expired"),
  withStanding("token_superseded", "tokens of before refused"),
  withStanding("key_none", "no key"),
  withStanding("device_unknown", "unknown device"),
  withStanding("device_unknown", "unknown registry"),
  withStanding("device_unknown", "unknown location"),
  {
    ...withStanding("token_signature_invalid", "key retired", { key: strangers.p256.privateKey }),
    what: "a stranger's signature for a device whose key is retired",
    ...{ strict: "key_none", iotCore: "key_none" },
  },
  {
    ...withStanding("device_blocked", "blocked", { key: strangers.p256.privateKey }),
    what: "a stranger's signature for a device that is blocked",
  },
];

export const hostileTokens: readonly TokenRow[] = [
  ...algorithms,
  ...headers,
  ...forms,
  ...notText,
  ...claims,
  ...timely,
  ...signatures,
  ...compact,
  ...standings,
];
