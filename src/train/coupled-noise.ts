// The noise of samples that know what they were made of.
import type { Annotation } from '../data/source.ts';
import { dataError } from '../tensor/errors.ts';
import type { FlowConfig } from './settings.ts';

/**
 * The step's input x1, where samples are mixed with the noise that they were made of; nothing where it is drawn.
 * @throws RectiflowError where a sample has none
 */
export function coupledNoise(
  { coupling }: Pick<FlowConfig, 'coupling'>,
  annotations: readonly Annotation[],
): { readonly x1?: Float32Array } {
  if (coupling === 'independent') return {};
  const noise = annotations.map((annotation) => annotation.noise ?? failing());
  const elements = noise[0]?.length ?? 0;
  const x1 = new Float32Array(noise.length * elements);
  noise.forEach((values, i) => x1.set(values, i * elements));
  return { x1 };
}

function failing(): never {
  const problem = 'do not tell what noise their samples were made of, which flow.coupling pairs learns from';
  throw dataError('the data', problem, 'Give the run its pairs again');
}
