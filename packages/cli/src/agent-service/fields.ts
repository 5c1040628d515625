/**
 * Fields of a settings file: each is asked for by name, checked where it is asked for, and nothing may be left over.
 *
 * A sentence about a wrong field says where it stands (`bridge.port`), what it must be, and never what a secret was.
 */
import { CommandFailure } from "../failure.ts";

export class Fields {
  readonly #path: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();

  /** @throws {CommandFailure} settings_invalid: no JSON object. */
  constructor(value: unknown, path: string) {
    this.#path = path;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw invalid(path === "" ? "the file" : path, "must be an object");
    }
    this.#values = value as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string): string {
    return this.#must(name, this.findText(name), "a text");
  }

  /** 1 to 1,024 characters. */
  findText(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "" || value.length > TEXT_MAX) {
      throw this.#invalid(name, `must be a text of 1 to ${TEXT_MAX} characters`);
    }
    return value;
  }

  wholeNumber(name: string, min: number, max: number): number {
    return this.#must(name, this.findWholeNumber(name, min, max), `a whole number from ${min} to ${max}`);
  }

  findWholeNumber(name: string, min: number, max: number): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    throw this.#invalid(name, `must be a whole number from ${min} to ${max}`);
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.#take(name) ?? otherwise;
    if (typeof value === "boolean") return value;
    throw this.#invalid(name, "must be true or false");
  }

  oneOf<T extends string | number>(name: string, words: readonly T[], otherwise: T): T {
    const value = this.#take(name) ?? otherwise;
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    throw this.#invalid(name, `must be one of ${words.join(", ")}`);
  }

  /** A value that `read` makes of a text, with `read`'s own sentence where it throws. */
  read<T>(name: string, read: (text: string) => T): T | undefined {
    const text = this.findText(name);
    if (text === undefined) return undefined;
    try {
      return read(text);
    } catch (error) {
      throw this.#invalid(name, error instanceof Error ? error.message : "cannot be read");
    }
  }

  object(name: string): Fields {
    return this.#must(name, this.findObject(name), "an object");
  }

  findObject(name: string): Fields | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : new Fields(value, this.#at(name));
  }

  /** A list of `min` to `max` objects. */
  objects(name: string, min: number, max: number): readonly Fields[] {
    return this.#list(name, min, max).map((value, i) => new Fields(value, `${this.#at(name)}[${i}]`));
  }

  /** A list of 0 to `max` texts; none where it is absent. */
  texts(name: string, max: number): readonly string[] {
    return this.#list(name, 0, max).map((value) => {
      if (typeof value === "string" && value !== "" && value.length <= TEXT_MAX) return value;
      throw this.#invalid(name, `must be a list of texts of 1 to ${TEXT_MAX} characters`);
    });
  }

  /** Nothing else may stand here: what is not asked for is mistyped. @throws {CommandFailure} settings_invalid */
  end(): void {
    for (const name of Object.keys(this.#values)) {
      if (!this.#asked.has(name)) {
        throw this.#invalid(name, `is unknown; known here: ${[...this.#asked].join(", ")}`);
      }
    }
  }

  /** For a rule that two fields make together. */
  fail(name: string, rule: string): CommandFailure {
    return this.#invalid(name, rule);
  }

  #list(name: string, min: number, max: number): readonly unknown[] {
    const value = this.#take(name) ?? [];
    if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
    throw this.#invalid(name, `must be a list of ${min} to ${max}`);
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  #must<T>(name: string, value: T | undefined, what: string): T {
    if (value === undefined) throw this.#invalid(name, `is missing: ${what}`);
    return value;
  }

  #at(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  #invalid(name: string, rule: string): CommandFailure {
    return invalid(this.#at(name), rule);
  }
}

const TEXT_MAX = 1_024;

function invalid(where: string, rule: string): CommandFailure {
  return new CommandFailure("settings_invalid", `${where} ${rule}`);
}
