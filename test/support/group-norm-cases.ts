// Arguments of group norm and of its gradient, for conformance.
import type { Case } from './conformance.ts';

/** Images and their groups. */
export type GroupedShape = readonly [shape: readonly number[], groups: number];

/** None, and SiLU. */
const activations = [0, 2];

/** Numbers far from 0, so that means count. */
export function groupNormCases(images: readonly GroupedShape[]): Case[] {
  return images.flatMap(([shape, groups]) =>
    activations.map((activation) => ({
      inputs: [{ shape, value: (u: number) => 3 * u + 1 }, { shape: [shape[1]!] }, { shape: [shape[1]!] }],
      attributes: { groups, epsilon: 1e-6, activation },
    })),
  );
}

export function groupNormGradCases(images: readonly GroupedShape[]): Case[] {
  return images.flatMap(([shape, groups]) =>
    activations.map((activation) => ({
      inputs: [
        { shape },
        { shape: [shape[1]!] },
        { shape: [shape[1]!] },
        { shape: [shape[0]!, groups], value: (u: number) => 0.1 * u },
        { shape: [shape[0]!, groups], value: (u: number) => 1.7 + 0.1 * u },
        { shape },
      ],
      attributes: { groups, activation },
    })),
  );
}
