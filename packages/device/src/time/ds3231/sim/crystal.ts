/**
 * Crystal: how fast the oscillator of a simulated clock truly runs.
 *
 * error(T) = its error at 25 °C + parabola · (T - 25)² - 0.1 ppm · aging offset. That is what the chip's own compensation
 * leaves over; the raw parabola of a tuning fork (-0.034 ppm/°C²) is not seen from outside. The real step of the aging
 * offset is 0.1 ppm at 25 °C only and varies with temperature, by how much the datasheet does not say; here it does not.
 */

export interface Crystal {
  /** At 25 °C with aging offset 0; positive runs fast. */
  readonly errorPpm: number;
  /** ppm per °C², 0 or less. */
  readonly parabolaPpm: number;
}

/** Within the datasheet's ± 3.5 ppm from -40 to 85 °C. */
export const defaultCrystal: Crystal = { errorPpm: 0, parabolaPpm: -0.0008 };

const turnoverC = 25;
export const agingStepPpm = 0.1;

/** @returns Parts per million by which it runs fast. */
export function crystalPpm(crystal: Crystal, temperatureC: number, aging: number): number {
  return crystal.errorPpm + crystal.parabolaPpm * (temperatureC - turnoverC) ** 2 - agingStepPpm * aging;
}
