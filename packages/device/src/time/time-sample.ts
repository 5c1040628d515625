/**
 * Time sample: what one source said, in the form in which all of them can be compared.
 */
import type { NumericDate } from "@mayfly/core";

/** At the monotonic instant `atMillis` the true time was within `seconds` ± `boundSeconds`, if the source is to be believed. */
export interface TimeSample {
  readonly atMillis: number;
  readonly seconds: NumericDate;
  /** At least 0. */
  readonly boundSeconds: number;
}
