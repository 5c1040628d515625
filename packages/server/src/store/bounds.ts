/** Bounds that every registry store keeps, whatever it is made of. */

/** Config versions and states kept for a device, the newest ones. */
export const VERSIONS_KEPT_MAX = 10;

/** Records in one page of a list, whatever the caller asks for. */
export const PAGE_SIZE_MAX = 10_000;

/** Devices whose last-seen facts may wait to be written; beyond it the one updated longest ago is dropped. */
export const ACTIVITY_DEVICES_MAX = 100_000;

/** Authentication records that may wait to be written, of what a key proved and of the rest; beyond it the oldest goes. */
export const RECORDS_WAITING_MAX = 5_000;

/** How long last-seen facts and records wait, so that many updates of a device become one write. */
export const ACTIVITY_DELAY_MILLIS = 2_000;
