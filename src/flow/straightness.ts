// How far the paths of a flow are from straight lines (Liu et al. 2022, arXiv:2209.03003, section 2.2):
//
//   S(Z) = integral over t from 0 to 1 of E |(Z1 - Z0) - dZt/dt|^2
//
// 0 where every path is a straight line that is gone along at one speed: then one step of Euler is exact.
import type { Values } from './integrator.ts';

export interface Straightness {
  /** S, divided by the numbers of a sample, so that the size of images does not matter. */
  readonly deviation: number;
  /** S, divided by E |Z1 - Z0|^2, so that the scale of values does not matter either. */
  readonly relative: number;
  /** What S is the integral of, both ways, at the middles of equal parts of the time from noise, 1, to data, 0. */
  readonly byTime: readonly StraightnessAt[];
}

export interface StraightnessAt extends Pick<Straightness, 'deviation' | 'relative'> {
  readonly t: number;
}

/** Adds up paths that Euler went along in equal steps. */
export class StraightnessSum {
  readonly #elements: number;
  /** By step: the sum over samples and their numbers of the squared deviation. */
  readonly #deviations: Float64Array;
  #lengths = 0;
  #samples = 0;

  /**
   * @param steps of Euler
   * @param elements of a sample
   */
  constructor(steps: number, elements: number) {
    this.#elements = elements;
    this.#deviations = new Float64Array(steps);
  }

  /**
   * @param path where some samples were before each step, from noise on, and after the last: [B, elements] each
   * @param wanted how many of them count, from the first
   */
  add(path: readonly Values[], wanted: number): void {
    const steps = this.#deviations.length;
    const [noise, data] = [path[0]!, path[steps]!];
    const size = wanted * this.#elements;
    for (let i = 0; i < size; i++) this.#lengths += (noise[i]! - data[i]!) ** 2;
    for (let step = 0; step < steps; step++) {
      const [from, to] = [path[step]!, path[step + 1]!];
      let sum = 0;
      for (let i = 0; i < size; i++) sum += (noise[i]! - data[i]! - steps * (from[i]! - to[i]!)) ** 2;
      this.#deviations[step]! += sum;
    }
    this.#samples += wanted;
  }

  result(): Straightness {
    const steps = this.#deviations.length;
    const scaled = (sum: number): Pick<Straightness, 'deviation' | 'relative'> => ({
      deviation: sum / (this.#samples * this.#elements),
      relative: sum / this.#lengths,
    });
    const whole = this.#deviations.reduce((sum, value) => sum + value, 0) / steps;
    const byTime = Array.from(this.#deviations, (sum, i) => ({ t: 1 - (i + 0.5) / steps, ...scaled(sum) }));
    return { ...scaled(whole), byTime };
  }
}
