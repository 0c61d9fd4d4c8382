// Samples that a run that trains is asked for: whether it can make them, and by which settings.
import type { RunConfig } from '../../config/config.ts';
import { imageSize } from '../../data/source.ts';
import { describePast } from '../../known/trained-with.ts';
import { isVelocity } from '../../models/model.ts';
import { steered } from '../../steering/course.ts';
import type { AskedSamples, SampleOrder } from '../../steering/event.ts';
import { attempt, configError, describeProblem } from '../../tensor/config-error.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { checkTogether } from '../../train/check-config.ts';
import { annotationsOf } from '../../train/make-ordered.ts';
import { computingBytes, mebibytes } from '../../train/memory-estimate.ts';
import { describeCold } from '../../train/monitor/cold-average.ts';
import { weightNames } from '../../train/ranks/weight-sets.ts';
import { shownShape } from '../../train/sample-decoder.ts';
import type { PreparedRun } from '../prepare-run.ts';
import { describeCut } from './cut-prompts.ts';
import { type AskedSampling, samplerSettings, usableGuidance } from './sampler-settings.ts';
import { checkRoom, wantedSamples } from './wanted-samples.ts';

/** As much of a training as decides that. */
export type SampledTraining = Pick<
  PreparedRun,
  | 'source'
  | 'conditioning'
  | 'model'
  | 'backend'
  | 'buffers'
  | 'exchange'
  | 'checkpoint'
  | 'decoder'
  | 'gridOf'
  | 'plan'
  | 'memory'
>;

/**
 * @param config that the next step is done with
 * @param step the last that is done
 * @param onNotice is told what is done otherwise than it might be meant
 * @throws RectiflowError for samples that this run cannot make, and for more than there is memory for
 */
export function sampleOrder(
  training: SampledTraining,
  config: RunConfig,
  asked: AskedSamples,
  step: number,
  onNotice: (text: string) => void,
): SampleOrder {
  const { source, conditioning, model, buffers, exchange, checkpoint } = training;
  if (!isVelocity(model)) throw configError('samples', ['its model makes nothing out of noise']);
  const { weights = 'ema', seed = 0, labels, prompts, count } = asked;
  const names = weightNames(buffers, exchange !== undefined);
  if (!names.includes(weights)) {
    const ofRanks = exchange ? ', as ranks share the others' : '';
    throw configError('samples', [
      describeProblem(['weights'], `one of ${names.join(', ')}${ofRanks}`, weights),
    ]);
  }
  const past = describePast(checkpoint, config);
  const { classNames, record } = source;
  const known = { ...(classNames && { classNames }), ...(record && { record }) };
  const { rows, counts } = wantedSamples(config, { labels, prompts, count, onNotice }, known);
  const guidance = usableGuidance({ ...asked, onNotice }, config, rows.length > 0, past.nullTrained);
  const settings = { ...samplerSettings(asked as AskedSampling, config.sample), guidance };
  const order = { rows, counts, weights, seed, ...settings } as SampleOrder;
  const changed = steered(config, { sample: { ...settings } });
  const problems: string[] = [];
  checkTogether(changed, undefined, problems);
  attempt(problems, () =>
    conditioning.encode(annotationsOf({ rows, counts: rows.map(() => 1) }), model.sampleShape),
  );
  if (problems.length > 0) throw configError('samples', problems);
  checkMemory(training, changed, order);
  const cut = conditioning.meter && describeCut(prompts ?? [], conditioning.meter);
  if (cut !== undefined) onNotice(cut);
  const isAverage = past.imported !== undefined || past.begunFrom !== undefined;
  const cold = asked.weights === undefined && !isAverage ? describeCold(step, config.ema) : undefined;
  if (cold !== undefined) onNotice(cold);
  return order;
}

/** Training must not end because of samples: what was not planned for has to fit beside it. */
function checkMemory(training: SampledTraining, config: RunConfig, { counts }: SampleOrder): void {
  const { model, source, decoder, gridOf, backend, plan, memory } = training;
  const picture = decoder && shownShape(model.sampleShape, source.record, decoder);
  checkRoom(counts, sizeOf(model.sampleShape) + (picture ? imageSize(picture) : 0));
  if (memory === undefined) return;
  const { activations, scratch } = plan.estimate;
  const more = computingBytes(backend, gridOf(config).programs([])) - activations - scratch;
  const free = memory.available() - memory.used();
  if (more <= free) return;
  throw new RectiflowError(
    'memory',
    `samples: to make them takes ${mebibytes(more)} of memory beyond training, and ${mebibytes(free)} are free. ` +
      'Ask for guidance 1, which takes half as much, or make them by a checkpoint (rectiflow sample)',
  );
}
