import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { caseByName, caseNames } from '../../bench/cases.ts';
import { peerModel } from '../../bench/peer-model.ts';

it('PyTorch is given the arguments that its model has, in every case', () => {
  const source = readFileSync(new URL('../../bench/peer/dit.py', import.meta.url), 'utf8');
  const [, list] = /class DiT\(.*\n    def __init__\(self, (.*)\):/.exec(source)!;
  for (const name of caseNames) {
    expect(Object.keys(peerModel(caseByName(name).config))).toEqual(list!.split(', '));
  }
});
