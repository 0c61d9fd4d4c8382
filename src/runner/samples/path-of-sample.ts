import type { Annotation, ImageShape } from '../../data/source.ts';
import type { Way } from '../../flow/velocity-path.ts';
import type { Samples } from './samples.ts';

/** How one sample comes out of noise. Its states and velocities are as the model sees them: of latents, latents. */
export interface PathOfSample extends Way, Pick<Samples, 'shape' | 'data' | 'step' | 'made'> {
  /** What it was told; undefined of a model that is told nothing. */
  readonly annotation: Annotation | undefined;
  /** What latents are decoded to: states [n + 1, ...shape] and foreseen [n, ...shape], of [C, H, W]. Velocities are no latents. */
  readonly pictures?: {
    readonly states: Float32Array;
    readonly foreseen: Float32Array;
    readonly shape: ImageShape;
  };
}
