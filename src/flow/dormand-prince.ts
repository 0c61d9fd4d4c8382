import { RectiflowError, valueError } from '../tensor/errors.ts';
import { greatest } from '../tensor/extremes.ts';
import type { AdaptiveSettings, Integrator, Values, Velocity } from './integrator.ts';

/** Rows of the tableau of Dormand & Prince 1980, J. Comput. Appl. Math. 6, table 2: RK5(4)7M. Row i makes stage i + 2. */
const stages: readonly (readonly number[])[] = [
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  // The last row is the step itself: its velocity is the next step's first.
  [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
];
/** Where the stages of those rows stand in the step. */
const nodes = [1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1] as const;
/** Weights of the fifth order less those of the fourth, of stages 1 to 7. */
const errorWeights = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40] as const;

/** A step that is attempted begins where an evaluation was, and evaluates so often until it has come to its end. */
export const evaluationsPerAttempt: number = stages.length;

/** What control may do to a step: Hairer, Norsett & Wanner 1993, Solving Ordinary Differential Equations I, eq. II.4.13. */
const safety = 0.9;
const [leastGrowth, mostGrowth] = [0.2, 5] as const;
/** Of the whole way. One that is wrong is corrected at once. */
const firstStep = 0.05;

/**
 * Fifth order with steps chosen so that the error of each, which a fourth-order method inside of it tells, stays within
 * tolerance. The samples of a batch are evaluated together, but every one has its own time, step and error: what becomes of one
 * does not depend on its neighbours. A batch takes as many rounds of six evaluations as its slowest sample.
 *
 * Paths are kept on the host, in float64: control looks at the numbers of every sample, so they would have to be read at every step.
 */
export const dopri5: Integrator = {
  evaluationsPerStep: undefined,
  async integrate(velocity, x1, { adaptive }) {
    const settings = { elements: x1.length, onCovered: () => {}, ...adaptive! };
    const paths = startPaths(x1, settings);
    let first: Float64Array = Float64Array.from(await velocity(paths.x, paths.t));
    for (let evaluations = 1; paths.t.some((t) => t > 0); evaluations += evaluationsPerAttempt) {
      stopLost(paths, first, settings.elements);
      if (evaluations + evaluationsPerAttempt > settings.maxEvaluations)
        throw tooMany(paths.t, evaluations, settings);
      const { k, end } = await attemptStep(velocity, paths, first, settings.elements);
      first = advance(paths, k, end, settings);
      settings.onCovered(1 - greatest(paths.t));
    }
    return x1 instanceof Float32Array ? Float32Array.from(paths.x) : paths.x;
  },
};

/** Where each sample is and how far it goes next. The time of one that has arrived is 0. */
interface Paths {
  x: Float64Array;
  readonly t: Float64Array;
  readonly h: Float64Array;
  /** Whether the step before was refused: the next one may not grow then. */
  readonly refused: boolean[];
}

type Resolved = AdaptiveSettings & Required<Pick<AdaptiveSettings, 'elements' | 'onCovered'>>;

function startPaths(x1: Values, { rtol, atol, elements, wanted = Infinity }: Resolved): Paths {
  for (const [name, value] of Object.entries({ rtol, atol })) {
    if (!(value > 0 && value < Infinity)) throw valueError('sample', name, 'a number above 0', value);
  }
  const samples = x1.length / elements;
  const t = Float64Array.from({ length: samples }, (_, sample) => (sample < wanted ? 1 : 0));
  const h = t.map((time) => firstStep * time);
  return { x: Float64Array.from(x1), t, h, refused: Array.from({ length: samples }, () => false) };
}

/**
 * The stages of one step of every sample and where it ends, by the fifth order.
 * @param first the velocities at x
 */
export async function attemptStep(
  velocity: Velocity,
  { x, t, h }: Pick<Paths, 'x' | 't' | 'h'>,
  first: Values,
  elements: number,
): Promise<{ k: Values[]; end: Float64Array }> {
  const k: Values[] = [first];
  let end = x;
  for (const [row, weights] of stages.entries()) {
    end = x.map((value, i) => {
      const slope = weights.reduce((total, weight, stage) => total + weight * k[stage]![i]!, 0);
      return value - h[Math.floor(i / elements)]! * slope;
    });
    // The end of the last step is 0, not what rounding leaves of it.
    const at = t.map((time, sample) =>
      nodes[row] === 1 && h[sample] === time ? 0 : time - nodes[row]! * h[sample]!,
    );
    k.push(await velocity(end, at));
  }
  return { k, end };
}

/** Takes the steps whose errors are within tolerance, and chooses the next of all samples. Returns the velocities there. */
function advance(paths: Paths, k: readonly Values[], end: Float64Array, settings: Resolved): Float64Array {
  const { x, t, h, refused } = paths;
  const { elements } = settings;
  const [first, last] = [Float64Array.from(k[0]!), k.at(-1)!];
  for (let sample = 0; sample < t.length; sample++) {
    if (t[sample] === 0) continue;
    const [from, to] = [sample * elements, (sample + 1) * elements];
    const error = errorNorm(paths, k, end, sample, settings);
    const growth = Number.isFinite(error) ? safety * error ** (-1 / 5) : leastGrowth;
    const taken = error <= 1;
    if (taken) {
      x.set(end.subarray(from, to), from);
      first.set(last.subarray(from, to), from);
      t[sample] = h[sample] === t[sample] ? 0 : t[sample]! - h[sample]!;
    }
    const most = taken && !refused[sample] ? mostGrowth : 1;
    h[sample] = Math.min(t[sample]!, h[sample]! * Math.min(most, Math.max(leastGrowth, growth)));
    refused[sample] = !taken;
  }
  return first;
}

/** The root mean square of the error over the numbers of a sample, in units of what is tolerated. */
function errorNorm(
  { x, h }: Paths,
  k: readonly Values[],
  end: Float64Array,
  sample: number,
  { elements, rtol, atol }: Resolved,
): number {
  let total = 0;
  for (let i = sample * elements; i < (sample + 1) * elements; i++) {
    const slope = errorWeights.reduce((sum, weight, stage) => sum + weight * k[stage]![i]!, 0);
    const tolerated = atol + rtol * Math.max(Math.abs(x[i]!), Math.abs(end[i]!));
    total += ((h[sample]! * slope) / tolerated) ** 2;
  }
  return Math.sqrt(total / elements);
}

/** A sample whose velocity is no number goes nowhere: it ends as one that is not finite, which whoever asked is told. */
function stopLost({ x, t, h }: Paths, velocity: Float64Array, elements: number): void {
  for (let sample = 0; sample < t.length; sample++) {
    const [from, to] = [sample * elements, (sample + 1) * elements];
    if (t[sample] === 0 || velocity.subarray(from, to).every(Number.isFinite)) continue;
    x.fill(NaN, from, to);
    t[sample] = 0;
    h[sample] = 0;
  }
}

function tooMany(t: Float64Array, evaluations: number, { rtol, atol }: AdaptiveSettings): RectiflowError {
  const slowest = t.indexOf(greatest(t));
  return new RectiflowError(
    'value',
    `sample: dopri5 is at t = ${t[slowest]!.toPrecision(3)} after ${evaluations} evaluations of the velocity, with ` +
      `rtol ${rtol} and atol ${atol}. Choose larger ones, as in 1e-3, or a sampler of fixed steps`,
  );
}
