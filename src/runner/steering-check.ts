// Whether a run that trains can do what it is asked.
import { parseSteering } from '../config/steering-schema.ts';
import type { RunConfig } from '../config/config.ts';
import { findClasses } from '../data/find-classes.ts';
import { steered } from '../steering/course.ts';
import type { SteeringEvent, SteeringSettings } from '../steering/event.ts';
import { attempt, configError } from '../tensor/config-error.ts';
import { checkTogether } from '../train/check-config.ts';
import { classesOf } from '../train/create-model.ts';
import { gridRows } from '../train/sample-grid.ts';
import type { PreparedRun } from './prepare-run.ts';
import { type SampledTraining, sampleOrder } from './samples/sample-order.ts';

export type SteeredTraining = Pick<PreparedRun, 'config'> & SampledTraining;

/** What is asked, with nothing left open. */
export type CheckedRequest = Pick<SteeringEvent, 'kind' | 'settings' | 'samples' | 'sentence'>;

/**
 * @param config that the next step is done with
 * @param asked anything
 * @param step the last that is done
 * @returns what is asked, with labels by number
 * @throws RectiflowError that lists what is wrong with it
 */
export function checkSteering(
  training: SteeredTraining,
  config: RunConfig,
  asked: unknown,
  step: number,
): CheckedRequest {
  const request = parseSteering(asked);
  if (request.kind === 'sample') {
    const told: string[] = [];
    const samples = sampleOrder(training, config, request.samples ?? {}, step, (text) => told.push(text));
    return { kind: 'sample', samples, ...(told.length > 0 && { sentence: told.join(' ') }) };
  }
  if (request.kind !== 'set') return request;
  const { conditioning, model } = training;
  const problems: string[] = [];
  const settings = withLabels(training, request.settings, problems);
  const changed = steered(config, settings);
  if (problems.length === 0) checkTogether(changed, undefined, problems);
  if (problems.length === 0 && settings.sample)
    attempt(problems, () => conditioning.encode(gridRows(changed.sample), model.sampleShape));
  if (problems.length > 0) throw configError('steering', problems);
  return { kind: 'set', settings };
}

/** Labels that are given by name. */
function withLabels(
  { config, source }: SteeredTraining,
  settings: SteeringSettings,
  problems: string[],
): SteeringSettings {
  const given = settings.sample?.['labels'] as readonly (number | string)[] | undefined;
  if (given === undefined || given.every((label) => typeof label === 'number')) return settings;
  let labels: readonly number[] = [];
  const classes = { count: classesOf(config.model), names: source.classNames };
  attempt(problems, () => (labels = findClasses(given, classes, { where: 'sample.labels' })));
  return { ...settings, sample: { ...settings.sample, labels } };
}
