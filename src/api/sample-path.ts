import type { Annotation } from '../data/source.ts';
import { samplerOf } from '../flow/objective.ts';
import { VelocityPath } from '../flow/velocity-path.ts';
import { availableMemory } from '../host/machine-memory.ts';
import type { PathOfSample } from '../runner/samples/path-of-sample.ts';
import { wantedSamples } from '../runner/samples/wanted-samples.ts';
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { mebibytes } from '../train/memory-estimate.ts';
import { withDecoder } from './decoder.ts';
import { checkRectified } from './rectified.ts';
import { type RunModel, openRunModel } from './run-sampler.ts';
import { type SampleRunOptions, decodingOf, latentsOrSamples, wantedShape } from './sample.ts';

/** As those of `sample`, but for one label or one prompt: the first row of the run's grids by default. */
export type SamplePathOptions = Omit<SampleRunOptions, 'count' | 'objective'>;

/** All of them are kept, and shown. */
const mostSteps = 200;

/**
 * Makes a sample with the weights of a run, and keeps where it was at the beginning of each step of the sampler, and with which
 * velocity. It is, to the bit, the first that `sample` makes of the same options, one of each label or prompt. The model is asked no
 * more often: a sampler that asks several times a step is kept by what it asked first, at x_t.
 * @param run its folder
 * @throws RectiflowError as `sample` does, of a run of another objective than rectified flow, of several labels or prompts, and of more
 * than 200 steps
 */
export async function samplePath(run: string, options: SamplePathOptions = {}): Promise<PathOfSample> {
  await checkRectified(run, 'could be shown');
  const opened = await openRunModel(run, { ...options, objective: undefined });
  const { config, data, model, objective } = opened;
  const rows = oneRow(opened, options);
  const shape = wantedShape(model, data, options);
  const steps = options.steps ?? config.sample.steps;
  if (steps > mostSteps)
    throw valueError('sample path', 'steps', `at most ${mostSteps}: the path is kept`, steps);
  const path = new VelocityPath(samplerOf(objective, options.sampler ?? config.sample.sampler));
  return withDecoder(config, decodingOf(run, opened, shape, options), async (decoder) => {
    const picture = decoder?.pictureShape(shape);
    checkRoom(steps, 3 * sizeOf(shape) + (picture ? 2 * sizeOf(picture) : 0));
    const asked = { ...options, onVelocity: path.add.bind(path) };
    const { values, annotations, step, made } = await latentsOrSamples(opened, asked, {
      rows,
      counts: [1],
      shape,
    });
    const way = path.end(values);
    const whole = { ...way, shape, data, step, annotation: annotations[0], ...(made && { made }) };
    if (!decoder || !picture) return whole;
    const { signal } = options;
    const states = await decoder.decode(way.states, shape, signal);
    const foreseen = await decoder.decode(way.foreseen, shape, signal);
    return { ...whole, pictures: { states, foreseen, shape: picture } };
  });
}

/** What the sample is told; nothing of a model that is told nothing. */
function oneRow({ config, data }: RunModel, options: SamplePathOptions): Annotation[] {
  const { rows } = wantedSamples(config, { ...options, count: 1 }, data);
  for (const name of ['labels', 'prompts'] as const)
    if (options[name] && rows.length > 1)
      throw valueError('sample path', name, 'one: it is the path of one sample', options[name].join(', '));
  return rows.slice(0, 1);
}

/** @param numbers of each step */
function checkRoom(steps: number, numbers: number): void {
  const [needed, available] = [4 * (steps + 1) * numbers, availableMemory()];
  if (needed <= available) return;
  throw new RectiflowError(
    'memory',
    `sample path: ${steps} steps take ${mebibytes(needed)} of memory, and ${mebibytes(available)} are free. Take fewer.`,
  );
}
