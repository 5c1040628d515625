/** What is fuzzed: inputs it begins with, and the promises that no input may break. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid and nearly valid; each is run as it is before any is changed. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the format. */
  readonly dictionary: readonly Uint8Array[];
  /** @throws whatever breaks a promise; a {@link BrokenPromise} says which. */
  run(input: Uint8Array): void | Promise<void>;
  close(): Promise<void>;
}

/** A promise that an input broke. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

/** @throws {BrokenPromise} unless `holds`. */
export function promise(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new BrokenPromise(sentence);
}

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
