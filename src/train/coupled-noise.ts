// The noise of samples that know what they were made of.
import type { Annotation } from '../data/source.ts';
import type { FlowConfig } from './settings.ts';

/**
 * The step's input x1, where samples are mixed with the noise that they were made of; nothing where it is drawn.
 * @param annotations of samples that all have their noise
 */
export function coupledNoise(
  { coupling }: Pick<FlowConfig, 'coupling'>,
  annotations: readonly Annotation[],
): { readonly x1?: Float32Array } {
  if (coupling === 'independent') return {};
  const noise = annotations.map((annotation) => annotation.noise!);
  const elements = noise[0]?.length ?? 0;
  const x1 = new Float32Array(noise.length * elements);
  noise.forEach((values, i) => x1.set(values, i * elements));
  return { x1 };
}
