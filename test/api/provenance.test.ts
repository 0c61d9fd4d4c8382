import { expect, test } from 'vitest';
import { provenanceOf } from '../../src/runner/samples/provenance.ts';
import type { SavedCheckpoint } from '../../src/runs/checkpoint.ts';
import type { WeightsChoice } from '../../src/api/weights.ts';

const asked = { seed: 1, steps: 4 };
const saved: Pick<SavedCheckpoint, 'step' | 'files'> = { step: 6, files: {} };

test('samples of other weights, settings or conditions have another id, those of the same have the same', () => {
  const idOf = (settings: object, weights: WeightsChoice = {}, of: typeof saved = saved): string =>
    provenanceOf({ name: 'run' }, of, { ...asked, ...settings }, weights).id;
  const other = { step: 6, files: { 'ema.safetensors': { bytes: 1, sha256: 'ab' } } };
  const ids = [
    idOf({}),
    idOf({}, { weights: 'model' }),
    idOf({}, { emaLength: 0.1 }),
    idOf({}, { emaLength: 0.05 }),
    idOf({ seed: 2 }),
    idOf({ steps: 5 }),
    idOf({ conditions: [1] }),
    idOf({}, {}, other),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(idOf({}, { weights: 'ema' })).toBe(ids[0]);
});
