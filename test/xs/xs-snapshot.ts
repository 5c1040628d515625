/**
 * What a snapshot of an XS heap says, and a heap of a fixed size made from one.
 *
 * A snapshot is one `XS_M` atom of atoms, each a big-endian 32-bit size (its 8-byte head included) and four letters:
 * `BLOC` holds the chunks in use (buffers, strings, byte code), `HEAP` the slots (properties, variables, objects).
 * `CREA` begins with the sizes the next worker makes its heap with. With both increments at 0 that worker has what
 * it is given and no more, and dies of "not enough memory" where a microcontroller would.
 */

/** Slots of a 32-bit machine, as a microcontroller has; the worker's own are twice as large. */
export const slotBytes = 16;

export interface HeapUse {
  readonly slots: number;
  /** As counted on the 64-bit worker: about 1.3 times what a 32-bit machine needs. */
  readonly chunkBytes: number;
}

type Atom = { readonly tag: string; readonly at: number; readonly length: number };

const headBytes = 8;

/** What a heap holds. @throws {RangeError} These bytes are no snapshot. */
export function heapUseOf(snapshot: Uint8Array): HeapUse {
  const view = viewOf(snapshot);
  const version = find(snapshot, "VERS");
  const slotSize = view.getUint8(version.at + 3);
  return {
    slots: Math.floor(find(snapshot, "HEAP").length / slotSize),
    chunkBytes: find(snapshot, "BLOC").length,
  };
}

/** What `later` holds more than `earlier`. */
export function heapGrowth(earlier: HeapUse, later: HeapUse): HeapUse {
  return { slots: later.slots - earlier.slots, chunkBytes: later.chunkBytes - earlier.chunkBytes };
}

/** At most what it takes on a microcontroller, in bytes. */
export function bytesOf(use: HeapUse): number {
  return use.slots * slotBytes + use.chunkBytes;
}

/** A copy that leaves just so much room above what it holds, for good. */
export function withFixedHeap(snapshot: Uint8Array, free: HeapUse): Uint8Array {
  const { slots, chunkBytes } = heapUseOf(snapshot);
  const copy = Uint8Array.from(snapshot);
  const creation = find(copy, "CREA").at;
  const view = viewOf(copy);
  // initialChunkSize, incrementalChunkSize, initialHeapCount, incrementalHeapCount; little-endian, unlike the heads.
  view.setInt32(creation, chunkBytes + free.chunkBytes, true);
  view.setInt32(creation + 4, 0, true);
  view.setInt32(creation + 8, slots + 2 + free.slots, true);
  view.setInt32(creation + 12, 0, true);
  return copy;
}

function find(snapshot: Uint8Array, tag: string): Atom {
  const atom = atomsOf(snapshot).find((candidate) => candidate.tag === tag);
  if (atom === undefined) throw new RangeError(`the snapshot has no atom ${tag}`);
  return atom;
}

/** The atoms inside `XS_M`; `at` is where their contents begin. */
function atomsOf(snapshot: Uint8Array): readonly Atom[] {
  const view = viewOf(snapshot);
  const atoms: Atom[] = [];
  for (let at = headBytes; at + headBytes <= snapshot.length; ) {
    const size = view.getUint32(at);
    if (size < headBytes || at + size > snapshot.length) throw new RangeError("not a snapshot of XS");
    const tag = String.fromCharCode(...snapshot.subarray(at + 4, at + headBytes));
    atoms.push({ tag, at: at + headBytes, length: size - headBytes });
    at += size;
  }
  return atoms;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
