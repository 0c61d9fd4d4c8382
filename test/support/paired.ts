import type { Source } from '../../src/data/source.ts';
import { stripes } from './tiny-run.ts';

/** The stripes, each with noise that is `distance` of its index away in every value. */
export function pairedStripes(distance: (index: number) => number): Source {
  const source = stripes();
  return {
    ...source,
    name: 'paired stripes',
    paired: { weights: 'those of a test', model: 'a test' },
    async read(index, out, offset, key) {
      const annotation = await source.read(index, out, offset, key);
      const noise = out.slice(offset, offset + 96).map((value) => value + distance(index));
      return { ...annotation, noise };
    },
  };
}
