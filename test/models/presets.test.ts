import { expect, it } from 'vitest';
import { parsePreset } from '../../src/models/presets.ts';

it('reads a size and a patch size', () => {
  expect(parsePreset('DiT-S/8')).toEqual({ width: 384, depth: 12, heads: 6, patchSize: 8 });
  expect(parsePreset('DiT-XL/2')).toEqual({ width: 1152, depth: 28, heads: 16, patchSize: 2 });
});

it.each([
  ['dit-s/8', 'Did you mean "DiT-S/8"?'],
  ['DiT-XXL/2', 'Did you mean "DiT-XL/2"?'],
  ['DiT-S', 'Did you mean "DiT-S/8"?'],
  ['DiT-S/0', 'a patch size, as in DiT-S/8'],
  ['resnet', 'model: "resnet" is no preset. A preset is one of DiT-Ti, DiT-S, DiT-B, DiT-L, DiT-XL and'],
])('says of %s what is wrong', (name, message) => {
  expect(() => parsePreset(name)).toThrow(message);
});
