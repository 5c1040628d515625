/** Bounds that every backbone keeps, whatever it is made of. */

/** Messages appended and not yet durable, in the whole process (design: numbers to hold). */
export const QUEUED_MESSAGES_MAX = 100_000;

/** Bytes appended and not yet durable, encoding included, in the whole process. */
export const QUEUED_BYTES_MAX = 64 * 1024 * 1024;

/** Messages one pull may deliver. */
export const PULL_MAX = 1_000;

/** Messages a subscription may have delivered and neither acknowledged nor given back; then a pull is empty. */
export const OUTSTANDING_MAX = 100_000;

/** How often retention is applied. */
export const SWEEP_MILLIS = 60_000;
