// What the path of a sample looks like.
import { type ImageShape, isPicture } from '../../data/source.ts';
import { asPictures } from '../../flow/velocity-path.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { PathOfSample } from './path-of-sample.ts';

export type PathRow = 'state' | 'velocity' | 'foreseen';

export interface PathPictures {
  /** [C, H, W] of each. */
  readonly shape: ImageShape;
  /** By what they show: a picture for each time, [n + 1, C, H, W], in about [-1, 1]. */
  readonly rows: ReadonlyMap<PathRow, Float32Array>;
}

/** Those of latents have no velocity: it is none of pictures. Undefined where nothing is one. */
export function pathPictures(path: PathOfSample): PathPictures | undefined {
  const { shape, data, states, velocities, foreseen, pictures } = path;
  if (pictures) {
    const rows = new Map<PathRow, Float32Array>([
      ['state', pictures.states],
      ['foreseen', arrived(pictures.foreseen, pictures.states)],
    ]);
    return { shape: pictures.shape, rows };
  }
  if (!isPicture(shape, data.record)) return undefined;
  const size = sizeOf(shape);
  // At the end there is no velocity any more, which is grey.
  const velocity = new Float32Array(states.length);
  for (let at = 0; at < velocities.length; at += size)
    velocity.set(asPictures(velocities.subarray(at, at + size)), at);
  const rows = new Map<PathRow, Float32Array>([
    ['state', states],
    ['velocity', velocity],
    ['foreseen', arrived(foreseen, states)],
  ]);
  return { shape, rows };
}

/** What was foreseen at each step, and in the end the sample itself. */
function arrived(foreseen: Float32Array, states: Float32Array): Float32Array {
  const whole = states.slice();
  whole.set(foreseen);
  return whole;
}
