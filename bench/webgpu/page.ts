// In a tab, or in Node.js: sides take turns at cases when the command asks for it.
import { webGpuBackend } from 'rectiflow/core';
import { type Contestant, type Side, cases, numbersOf } from './cases.ts';
import { jaxSide } from './jax.ts';
import { ours } from './ours.ts';
import { tensorFlowSide } from './tensorflow.ts';
import { type Turn, takeTurn } from './turn.ts';

const page = globalThis as unknown as {
  readonly navigator: { readonly gpu: Parameters<typeof webGpuBackend>[0] };
  turn: typeof turn;
};

const makers: Readonly<Record<string, () => Promise<Side>>> = {
  rectiflow: async () => ours(await webGpuBackend(page.navigator.gpu)),
  'jax-js': jaxSide,
  'TensorFlow.js': tensorFlowSide,
};
const sides = new Map<string, Promise<Side>>();
const contestants = new Map<string, Contestant>();

/** @param index of the case */
async function turn(name: string, index: number, seconds: number): Promise<Turn> {
  const key = `${name} ${index}`;
  const of = cases[index]!;
  const side = sides.get(name) ?? makers[name]!();
  sides.set(name, side);
  const began = performance.now();
  const known = contestants.get(key);
  const contestant = known ?? (await (await side)(of, numbersOf(of)));
  contestants.set(key, contestant);
  return takeTurn(contestant, { seconds, began: known ? undefined : began });
}
page.turn = turn;
