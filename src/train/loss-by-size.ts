import { nameOfShape } from '../data/sample-sizes.ts';
import type { Shape } from '../tensor/shape.ts';
import type { StepMetrics } from './metrics.ts';

/** The losses of steps whose samples have several shapes, by shape, until they are logged. */
export class LossBySize {
  readonly #sums = new Map<string, { sum: number; steps: number }>();
  #last = '';

  add(shape: Shape, loss: number): void {
    const name = nameOfShape(shape);
    const { sum, steps } = this.#sums.get(name) ?? { sum: 0, steps: 0 };
    this.#sums.set(name, { sum: sum + loss, steps: steps + 1 });
    this.#last = name;
  }

  /** The shape of the last step, and means over the steps since the last time, by the names of their shapes; begins anew. */
  take(): Required<Pick<StepMetrics, 'size' | 'lossBySize'>> {
    const means = [...this.#sums].toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
    this.#sums.clear();
    const lossBySize = Object.fromEntries(means.map(([name, { sum, steps }]) => [name, sum / steps]));
    return { size: this.#last, lossBySize };
  }
}
