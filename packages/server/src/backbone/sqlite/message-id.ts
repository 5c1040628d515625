/**
 * Message ids: digits only, as Pub/Sub's are, unique in the installation and the same at each redelivery.
 *
 * The id is the place: block number, then two digits of partition, then four digits of index in the block.
 */

/** Messages in one block: an index has four digits, and a pull reads whole blocks. */
export const BLOCK_MESSAGES_MAX = 1_000;

export const PARTITIONS_MAX = 64;

export interface MessagePlace {
  readonly block: number;
  readonly partition: number;
  readonly index: number;
}

const indexDigits = Array.from({ length: BLOCK_MESSAGES_MAX }, (_, index) => String(index).padStart(4, "0"));

/** The part that all messages of a block share. */
export function messageIdPrefix(block: number, partition: number): string {
  return `${block}${String(partition).padStart(2, "0")}`;
}

export function messageIdOf(prefix: string, index: number): string {
  return prefix + indexDigits[index];
}

/** @returns undefined for a text that no {@link messageIdOf} made. */
export function parseMessageId(text: string): MessagePlace | undefined {
  if (text.length < 7 || text.length > 21) return undefined;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return undefined;
  }
  return {
    block: Number(text.slice(0, -6)),
    partition: Number(text.slice(-6, -4)),
    index: Number(text.slice(-4)),
  };
}
