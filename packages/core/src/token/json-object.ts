/**
 * A strict reader for one JSON object (RFC 8259), as JOSE headers and claims need it.
 *
 * `JSON.parse` takes the last of two members with one name and says nothing; two readers of one token could
 * then believe different things. RFC 7515 §4 wants names unique, so this reader refuses duplicates, also in
 * nested objects and also when one of them hides behind an escape. It keeps the members of the outermost
 * object only; what is nested is checked and dropped, since nothing we act on is nested.
 */

/** A value of the outermost object. {@link nested} stands for any object or array. */
export type JsonMember = string | number | boolean | null | typeof nested;
export type JsonMembers = ReadonlyMap<string, JsonMember>;

export const nested: unique symbol = Symbol("nested");

/** Objects and arrays inside one another, the outermost counted. */
export const jsonDepthMax = 8;
/** Members and elements in all. */
export const jsonValuesMax = 128;

export type JsonErrorCode = "json_malformed" | "json_member_duplicate" | "json_too_deep" | "json_too_many";

/** The text is not an object we take. `at` is where, in UTF-16 units. */
export class JsonError extends Error {
  override readonly name = "JsonError";
  readonly code: JsonErrorCode;
  readonly at: number;

  constructor(code: JsonErrorCode, at: number) {
    super(`${code} at ${at}`);
    this.code = code;
    this.at = at;
  }
}

/** @throws {JsonError} */
export function readJsonObject(text: string): JsonMembers {
  return new Reader(text).readAll();
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

class Reader {
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readAll(): JsonMembers {
    this.#skipSpace();
    if (this.#code() !== openBrace) throw this.#malformed();
    const members = this.#readObject(1);
    this.#skipSpace();
    if (this.#at !== this.#text.length) throw this.#malformed();
    return members;
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  #malformed(): JsonError {
    return new JsonError("json_malformed", this.#at);
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#code();
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  /** Steps over `code` or refuses. */
  #expect(code: number): void {
    if (this.#code() !== code) throw this.#malformed();
    this.#at++;
  }

  #count(): void {
    if (++this.#values > jsonValuesMax) throw new JsonError("json_too_many", this.#at);
  }

  #readObject(depth: number): Map<string, JsonMember> {
    const members = new Map<string, JsonMember>();
    this.#expect(openBrace);
    this.#skipSpace();
    if (this.#code() === closeBrace) {
      this.#at++;
      return members;
    }
    for (;;) {
      this.#count();
      this.#skipSpace();
      const at = this.#at;
      const name = this.#readString();
      if (members.has(name)) throw new JsonError("json_member_duplicate", at);
      this.#skipSpace();
      this.#expect(colon);
      members.set(name, this.#readValue(depth));
      this.#skipSpace();
      if (this.#code() === comma) {
        this.#at++;
        continue;
      }
      this.#expect(closeBrace);
      return members;
    }
  }

  #readArray(depth: number): void {
    this.#expect(openBracket);
    this.#skipSpace();
    if (this.#code() === closeBracket) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#count();
      this.#readValue(depth);
      this.#skipSpace();
      if (this.#code() === comma) {
        this.#at++;
        continue;
      }
      this.#expect(closeBracket);
      return;
    }
  }

  #readValue(depth: number): JsonMember {
    this.#skipSpace();
    switch (this.#code()) {
      case quote:
        return this.#readString();
      case openBrace:
      case openBracket:
        if (depth >= jsonDepthMax) throw new JsonError("json_too_deep", this.#at);
        if (this.#code() === openBrace) this.#readObject(depth + 1);
        else this.#readArray(depth + 1);
        return nested;
      case 0x74:
        return this.#readWord("true", true);
      case 0x66:
        return this.#readWord("false", false);
      case 0x6e:
        return this.#readWord("null", null);
      default:
        return this.#readNumber();
    }
  }

  #readWord<T extends boolean | null>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#malformed();
    this.#at += word.length;
    return value;
  }

  #readString(): string {
    const text = this.#text;
    const open = this.#at;
    this.#expect(quote);
    let hasEscape = false;
    let at = this.#at;
    for (;;) {
      const code = text.charCodeAt(at);
      // A control character, or NaN at the end of the text.
      if (!(code >= 0x20)) throw new JsonError("json_malformed", at);
      at++;
      if (code === quote) break;
      if (code === backslash) {
        hasEscape = true;
        at++;
      }
    }
    this.#at = at;
    if (!hasEscape) return text.slice(open + 1, at - 1);
    try {
      const value: unknown = JSON.parse(text.slice(open, at));
      if (typeof value === "string") return value;
    } catch {
      // A bad escape: answered below like any other bad text.
    }
    throw new JsonError("json_malformed", open);
  }

  #readNumber(): number {
    const start = this.#at;
    if (this.#code() === 0x2d) this.#at++;
    if (this.#code() === 0x30) this.#at++;
    else this.#skipDigits();
    if (this.#code() === 0x2e) {
      this.#at++;
      this.#skipDigits();
    }
    if ((this.#code() | 0x20) === 0x65) {
      this.#at++;
      if (this.#code() === 0x2b || this.#code() === 0x2d) this.#at++;
      this.#skipDigits();
    }
    return Number(this.#text.slice(start, this.#at));
  }

  /** One digit or more. */
  #skipDigits(): void {
    const start = this.#at;
    for (;;) {
      const code = this.#code();
      if (!(code >= 0x30 && code <= 0x39)) break;
      this.#at++;
    }
    if (this.#at === start) throw this.#malformed();
  }
}
