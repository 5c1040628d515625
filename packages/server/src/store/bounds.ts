/** Bounds that every registry store keeps, whatever it is made of. */

/** Config versions and states kept for a device, the newest ones. */
export const VERSIONS_KEPT_MAX = 10;

/** Records in one page of a list, whatever the caller asks for. */
export const PAGE_SIZE_MAX = 10_000;

/** Devices whose last-seen facts may wait to be written; beyond it the one updated longest ago is dropped. */
export const ACTIVITY_DEVICES_MAX = 100_000;

/** How long last-seen facts wait, so that many updates of a device become one write. */
export const ACTIVITY_DELAY_MILLIS = 2_000;
