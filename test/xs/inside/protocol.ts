/** What host and engine say to one another: the numbers of {@link events} and {@link effects}, one byte each. */

/** From the host: kind, ticks (signed, 32 bits), identifier (16 bits), bytes. */
export const events = {
  timer: 1,
  resolved: 2,
  writable: 3,
  readable: 4,
  failed: 5,
  answered: 6,
  collect: 7,
} as const;

/** From the engine: kind, identifier (16 bits), length (16 bits), bytes. */
export const effects = {
  timerSet: 1,
  timerCleared: 2,
  resolve: 3,
  connect: 4,
  written: 5,
  closed: 6,
  sign: 7,
  random: 8,
  event: 9,
} as const;

export type Effect = (typeof effects)[keyof typeof effects];
