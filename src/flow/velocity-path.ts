// The way of one sample from noise to data, with the velocities that a sampler went by.
import { greatest } from '../tensor/extremes.ts';
import { evaluationsPerAttempt } from './dormand-prince.ts';
import type { Integrator } from './integrator.ts';
import type { Evaluated } from './sample-request.ts';

/** n steps of a sampler, whose samples have E numbers. */
export interface Way {
  /** [n + 1], where steps begin, from noise, 1, and where the last ends: 0, data. */
  readonly times: readonly number[];
  /** x_t, [n + 1, E]. */
  readonly states: Float32Array;
  /** v(x_t, t) at the beginning of each step, with guidance, [n, E]. */
  readonly velocities: Float32Array;
  /** x_t - t v, where each would end if it went straight on, [n, E]. */
  readonly foreseen: Float32Array;
  /** [n], the root mean square of the numbers of each velocity. */
  readonly speeds: readonly number[];
  /** [n], degrees between each velocity and noise less data: 0 is along the straight line. Null where there is no such angle. */
  readonly angles: readonly (number | null)[];
}

/** Hears of the evaluations of one sample, and keeps those that steps begin with. */
export class VelocityPath {
  readonly #perStep: number;
  readonly #begun: { readonly t: number; readonly x: Float32Array; readonly velocity: Float32Array }[] = [];
  #evaluations = 0;

  /** @param sampler of rectified flow */
  constructor({ evaluationsPerStep = evaluationsPerAttempt }: Integrator) {
    this.#perStep = evaluationsPerStep;
  }

  add({ x, t: times, velocity }: Evaluated): void {
    const t = typeof times === 'number' ? times : times[0]!;
    const last = this.#begun.at(-1);
    // dopri5 goes back where a step was refused: what was seen at its end is not on the way.
    if (last !== undefined && t > last.t) this.#begun.pop();
    if (this.#evaluations++ % this.#perStep === 0)
      this.#begun.push({ t, x: Float32Array.from(x), velocity: Float32Array.from(velocity) });
  }

  /** @param sample where it has come to */
  end(sample: Float32Array): Way {
    const begun = this.#begun.filter(({ t }) => t > 0);
    const chord = begun[0]!.x.map((noise, i) => noise - sample[i]!);
    return {
      times: [...begun.map(({ t }) => t), 0],
      states: joined([...begun.map(({ x }) => x), sample]),
      velocities: joined(begun.map(({ velocity }) => velocity)),
      foreseen: joined(begun.map(({ x, velocity, t }) => foreseenFrom(x, velocity, t))),
      speeds: begun.map(({ velocity }) => Math.sqrt(dot(velocity, velocity) / velocity.length)),
      angles: begun.map(({ velocity }) => angleBetween(velocity, chord)),
    };
  }
}

/** Where samples x at t end if they go straight on: x - t v. */
export function foreseenFrom(x: Float32Array, velocity: Float32Array, t: number): Float32Array {
  return x.map((value, i) => value - t * velocity[i]!);
}

/** Velocities as the values of pictures: their largest number is black or white, and none at all the grey between. */
export function asPictures(velocity: Float32Array): Float32Array {
  const largest = Math.max(1e-6, greatest(velocity.map(Math.abs)));
  return velocity.map((value) => value / largest);
}

function angleBetween(a: Float32Array, b: Float32Array): number | null {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  if (lengths === 0) return null;
  const cosine = Math.min(1, Math.max(-1, dot(a, b) / lengths));
  return (Math.acos(cosine) * 180) / Math.PI;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
