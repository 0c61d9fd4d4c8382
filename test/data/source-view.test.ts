import { describe, expect, it } from 'vitest';
import { holdOut } from '../../src/data/hold-out.ts';
import { isInspectable } from '../../src/data/inspect.ts';
import { keepSamples } from '../../src/data/kept-samples.ts';
import { Loader } from '../../src/data/loader.ts';
import { membersOf, selectSamples } from '../../src/data/source-view.ts';
import type { Annotation, Source } from '../../src/data/source.ts';

/** Everything but its facts is on the prototype, and every method needs `this`. */
class Numbers implements Source {
  readonly #first: number;
  readonly name = 'numbers';
  readonly count = 40;
  readonly classes = 41;
  readonly captions = true;

  constructor(first = 0) {
    this.#first = first;
  }

  get shape(): readonly number[] {
    return [1];
  }

  get isFixed(): boolean {
    return true;
  }

  read(index: number, out: Float32Array, offset: number): Annotation {
    out[offset] = (this.#first + index) / 127.5 - 1;
    return { label: this.#first + index, caption: this.caption(index) };
  }

  caption(index: number): string {
    return `number ${this.#first + index}`;
  }

  describe(index: number): string {
    return `the number ${this.#first + index}`;
  }

  inspect(index: number): Promise<{ digest: string; height: number; width: number; format: string }> {
    return Promise.resolve({ digest: String(this.#first + index), height: 1, width: 1, format: 'number' });
  }
}

describe('views of a source that is a class', () => {
  it('keep what its prototype has', async () => {
    const { trained } = holdOut(new Numbers(), 5, 3);
    const kept = keepSamples(trained, 1000);
    const out = new Float32Array(1);
    const { label } = await kept.read(7, out, 0, { seed: 0, epoch: 0 });
    expect(kept.shape).toEqual([1]);
    expect(kept.caption!(7)).toBe(`number ${label}`);
    expect(kept.describe!(7)).toBe(`the number ${label}`);
    expect(isInspectable(kept) && (await kept.inspect(7)).digest).toBe(String(label));
  });

  it('select samples by their place', () => {
    const even = selectSamples(new Numbers(), 20, (index) => 2 * index);
    expect([even.count, even.caption!(3), even.describe!(3)]).toEqual([20, 'number 6', 'the number 6']);
  });

  it('have no members that the source lacks', () => {
    const source: Source = { name: 'a', count: 1, shape: [1], read: () => ({}) };
    expect(Object.keys(membersOf(source)).toSorted()).toEqual(['count', 'name', 'read', 'shape']);
  });

  it('name a sample whose label is none', async () => {
    const loader = new Loader(new Numbers(5), { batchSize: 40, seed: 0 });
    await expect(loader.next()).rejects.toThrow(/the number 4\d: has label 4\d, outside of \[0, 41\)/);
  });
});
