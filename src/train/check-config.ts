import { nameOfShape } from '../data/sample-sizes.ts';
import { type SourceFacts, checkSource } from '../data/source.ts';
import { checkShape, isVelocity } from '../models/model.ts';
import { checkSchedule } from '../optim/schedule.ts';
import { attempt, describeProblem } from '../tensor/config-error.ts';
import { classesOf, createSampleModel } from './create-model.ts';
import { checkCoupling, checkObjective } from './objective.ts';
import type { Shape } from '../tensor/shape.ts';
import type { ModelConfig, TrainingConfig } from './settings.ts';
import { unusedSettings } from './unused-settings.ts';

/** What settings ask of each other. */
export function checkTogether(
  config: TrainingConfig,
  facts: SourceFacts | undefined,
  problems: string[],
): void {
  const { model, optimizer, ema, train, flow, sample } = config;
  // One that the program brings is checked where it is at hand.
  if (model.kind !== 'custom')
    attempt(problems, () => {
      const made = createSampleModel(model);
      const { sampleShape: shape } = made;
      if (!isVelocity(made)) problems.push(...unusedSettings(config));
      if (facts)
        checkSource(facts, { shape, classes: classesOf(model), captions: model.kind === 'text-dit' });
    });
  if (model.kind !== 'custom' && problems.length === 0) checkSizes(model, facts, problems);
  attempt(problems, () => {
    const { decay: kind, learningRate: peak, warmupSteps, floor } = optimizer;
    checkSchedule({ kind, peak, warmupSteps, floor, totalSteps: train.steps });
  });
  const { batchSize, shards = 1 } = train;
  if (batchSize % shards !== 0) {
    const nearest = [Math.floor, Math.ceil].map((round) => shards * Math.max(1, round(batchSize / shards)));
    const wanted = `a multiple of the ${shards} train.shards, the nearest being ${[...new Set(nearest)].join(' or ')}`;
    problems.push(describeProblem(['train', 'batchSize'], wanted, batchSize));
  }
  checkObjective(config, problems);
  checkCoupling(config, facts, problems);
  ema.decays.forEach((decay, i) => {
    if (![ema.decay, ...ema.decays.slice(0, i)].includes(decay)) return;
    problems.push(describeProblem(['ema', 'decays', i], 'a decay that no other average has', decay));
  });
  ema.power.forEach((length, i) => {
    if (!ema.power.slice(0, i).includes(length)) return;
    problems.push(describeProblem(['ema', 'power', i], 'a length that no other average has', length));
  });
  if (ema.snapshotEvery > 0 && ema.power.length === 0) {
    const wanted = '0 (none): there is nothing to store without ema.power, as in [0.05, 0.1]';
    problems.push(describeProblem(['ema', 'snapshotEvery'], wanted, ema.snapshotEvery));
  }
  const classes = classesOf(model);
  sample.labels.forEach((label, i) => {
    if (label < classes) return;
    const wanted = classes === 0 ? 'no labels: the model has no classes' : `a label below ${classes}`;
    problems.push(describeProblem(['sample', 'labels', i], wanted, label));
  });
  if (sample.prompts.length > 0 && model.kind !== 'text-dit') {
    problems.push(
      describeProblem(['sample', 'prompts'], 'no captions: the model takes none', sample.prompts),
    );
  }
  if (sample.guidance !== 1 && flow.labelDropout === 0) {
    const wanted = '1 (none): what it is without labels is only learnt with flow.labelDropout above 0';
    problems.push(describeProblem(['sample', 'guidance'], wanted, sample.guidance));
  }
}

/** Sizes at which the samples are read, and which the model cannot take. */
function checkSizes(config: ModelConfig, facts: SourceFacts | undefined, problems: string[]): void {
  const { shapes = [], of } = facts?.sizes ?? {};
  const model = createSampleModel(config);
  for (const shape of shapes) {
    const found: string[] = [];
    attempt(found, () => checkShape(model, shape, 'data'));
    if (found.length === 0) continue;
    const setting = of ? 'data.buckets.step' : 'data.sizes';
    const sides = 'patchSize' in config ? nearestSizes(shape, config.patchSize) : '';
    problems.push(`${setting}: the model cannot take ${nameOfShape(shape)}: ${found[0]}${sides}`);
    // All buckets are multiples of one step.
    if (of) return;
  }
}

/** The sizes that patches divide, below and above. */
function nearestSizes(shape: Shape, patchSize: number): string {
  const sides = (round: (patches: number) => number): string =>
    nameOfShape(
      shape.map((side, axis) => (axis === 0 ? side : Math.max(1, round(side / patchSize)) * patchSize)),
    );
  return `. The nearest sizes that patches of ${patchSize} divide are ${sides(Math.floor)} and ${sides(Math.ceil)}`;
}
