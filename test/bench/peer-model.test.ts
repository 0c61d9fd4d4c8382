import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { caseByName, caseNames } from '../../bench/cases.ts';
import { peerModel, peerStep } from '../../bench/peer-model.ts';

function peerSource(name: string): string {
  return readFileSync(new URL(`../../bench/peer/${name}.py`, import.meta.url), 'utf8');
}

it('PyTorch is given the arguments that its model has, in every case', () => {
  const [, list] = /class DiT\(.*\n    def __init__\(self, (.*)\):/.exec(peerSource('dit'))!;
  for (const name of caseNames) {
    expect(Object.keys(peerModel(caseByName(name).config))).toEqual(list!.split(', '));
  }
});

it('PyTorch is told what its training step asks for', () => {
  const sources = ['training', 'step', 'ranks'].map(peerSource).join('\n');
  const asked = [...sources.matchAll(/\bspec\["(\w+)"\]/g)].map(([, name]) => name!);
  const told = Object.keys(peerStep(caseByName('s-256').config));
  expect(new Set(asked)).toEqual(new Set([...told, 'precision', 'threads', 'ranks']));
});
