/**
 * From an input that is valid or nearly so to one that is a little less so: bits, bytes, words of the format,
 * pieces moved, doubled and cut, pieces of another input.
 */
import type { Choice } from "../../packages/server/test/interleavings/choice.ts";

/** No input grows beyond this. */
export const inputBytesMax = 4_096;
const piecesMax = 64;
const telling = [0, 1, 2, 0x7f, 0x80, 0xc0, 0xed, 0xfe, 0xff, 0x20, 0x22, 0x2e, 0x2f, 0x3d];

/**
 * One to eight changes, one after the other, a few more often than many.
 * @param other another input, from which a piece may come.
 * @param dictionary words that mean something in this format.
 */
export function mutate(
  input: Uint8Array,
  other: Uint8Array,
  dictionary: readonly Uint8Array[],
  choice: Choice,
): Uint8Array {
  // A Buffer's `slice` is a view: a change to it would change the input it came from.
  let bytes: Uint8Array = new Uint8Array(input);
  const changes = 1 << Math.min(choice.below(4), choice.below(4));
  for (let n = 0; n < changes; n++) bytes = change(bytes, other, dictionary, choice);
  return bytes.slice(0, inputBytesMax);
}

function change(
  bytes: Uint8Array,
  other: Uint8Array,
  dictionary: readonly Uint8Array[],
  choice: Choice,
): Uint8Array {
  const at = choice.below(bytes.length + 1);
  const length = 1 + choice.below(Math.min(piecesMax, bytes.length - at));
  switch (choice.below(10)) {
    case 0:
      return with1(bytes, at, (bytes[at] ?? 0) ^ (1 << choice.below(8)));
    case 1:
      return with1(bytes, at, choice.below(256));
    case 2:
      return with1(bytes, at, choice.of(telling));
    case 3:
      return with1(bytes, at, ((bytes[at] ?? 0) + (choice.below(2) === 0 ? 1 : 255)) & 0xff);
    case 4:
      return splice(bytes, at, length, new Uint8Array());
    case 5:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 6: {
      const from = choice.below(other.length);
      return splice(
        bytes,
        at,
        choice.below(2) * length,
        other.subarray(from, from + 1 + choice.below(piecesMax)),
      );
    }
    case 7:
      return bytes.slice(0, at);
    case 8: {
      const piece = bytes.slice(at, at + length);
      const cut = splice(bytes, at, length, new Uint8Array());
      return splice(cut, choice.below(cut.length + 1), 0, piece);
    }
    default:
      return splice(
        bytes,
        at,
        choice.below(2) * length,
        dictionary[choice.below(dictionary.length)] ?? new Uint8Array([0]),
      );
  }
}

function with1(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

function splice(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]));
}
