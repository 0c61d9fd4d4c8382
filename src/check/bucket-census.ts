// What becomes of images that are read at several sizes: how many there are of each, and what is cropped away.
import { nameOfShape } from '../data/sample-sizes.ts';
import type { ImageShape, Source } from '../data/source.ts';
import { croppedShare } from '../sources/images/buckets.ts';
import type { Size } from '../sources/images/transforms.ts';
import type { SizeReport } from './data-report.ts';

export class BucketCensus {
  readonly #shapes: readonly ImageShape[];
  readonly #of: ((index: number) => number) | undefined;
  readonly #counts: number[];
  readonly #cropped: number[];

  private constructor(shapes: readonly ImageShape[], of: ((index: number) => number) | undefined) {
    this.#shapes = shapes;
    this.#of = of;
    this.#counts = shapes.map(() => 0);
    this.#cropped = shapes.map(() => 0);
  }

  /** Undefined of a set whose samples are read at one size. */
  static of({ sizes }: Source): BucketCensus | undefined {
    return sizes && new BucketCensus(sizes.shapes as readonly ImageShape[], sizes.of);
  }

  /** @param image as it is stored */
  add(index: number, image: Size): void {
    const places = this.#of ? [this.#of(index)] : this.#shapes.keys();
    for (const place of places) {
      const [, height, width] = this.#shapes[place]!;
      this.#counts[place]!++;
      this.#cropped[place]! += croppedShare(image, { height, width });
    }
  }

  /** @param batchSizeOf samples of a shape that a step learns from, where that is known */
  report(batchSizeOf: ((shape: ImageShape) => number) | undefined): SizeReport[] {
    return this.#shapes.map((shape, place) => {
      const count = this.#counts[place]!;
      const batchSize = this.#of && batchSizeOf?.(shape);
      return {
        name: nameOfShape(shape),
        count,
        cropped: count === 0 ? 0 : this.#cropped[place]! / count,
        ...(batchSize !== undefined && { batchSize, steps: Math.ceil(count / batchSize) }),
      };
    });
  }
}
