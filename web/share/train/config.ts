// The settings of a training that follow from what a visitor chose.
import type { SourceFacts } from '../../../src/data/source.ts';
import type { ShareManifest } from '../../../src/share/manifest.ts';
import { type TrainingInput, completeTraining } from '../../../src/train/complete.ts';
import type { ImageModel, TrainingConfig } from '../../../src/train/settings.ts';
import type { PictureForm } from './pictures.ts';
import { type TrainSettings, formOf, sizes } from './settings.ts';

/** A new model for pictures of that form. @param classes 0: it is told none */
export function newModel(
  { size }: Pick<TrainSettings, 'size'>,
  form: PictureForm,
  classes: number,
): ImageModel {
  const { patches, ...transformer } = sizes[size];
  const [height, width] = form.size;
  return {
    kind: 'dit',
    ...transformer,
    patchSize: Math.max(1, width / patches),
    channels: form.channels,
    imageSize: [height, width],
    classes,
    timeScale: 1000,
    reverseTime: false,
  };
}

/** As the package's own recipes of short trainings have it: a rate that falls, times drawn where the velocity is hardest to tell. */
const recipe = {
  flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 1 }, labelDropout: 0.1 },
  optimizer: { betas: [0.9, 0.95], decay: 'cosine', floor: 0.02, clipNorm: 1 },
} as const satisfies Pick<TrainingInput, 'flow' | 'optimizer'>;

/** Rows and columns of the samples that are made on the way, at most. */
const grid = { rows: 6, columns: 6 };
const gridOfSlow = { rows: 4, columns: 2 };
/** The share of the pictures that is not trained on, from so many pictures on. */
const heldOut = { from: 50, share: 0.1, most: 100 };
/** Points of a curve: what is logged has to be read from the GPU. */
const points = 400;

/**
 * @param facts of the pictures
 * @param isSlow whether a program computes in place of a GPU
 * @throws RectiflowError that lists what does not fit together
 */
export function configOf(
  settings: TrainSettings,
  facts: SourceFacts,
  { shared, isSlow }: { readonly shared: ShareManifest | undefined; readonly isSlow: boolean },
): TrainingConfig {
  const { steps, batchSize, learningRate, sampleEvery } = settings;
  const from = settings.begin === 'shared' ? shared?.config : undefined;
  const form = formOf(settings, shared);
  const model = from?.model ?? newModel(settings, form, facts.classes ?? 0);
  const { rows, columns } = isSlow ? gridOfSlow : grid;
  const labels = from ? settings.labels.flatMap(([, label]) => label ?? []) : undefined;
  const count = facts.count < heldOut.from ? 0 : Math.floor(facts.count * heldOut.share);
  const input: TrainingInput = {
    model,
    flow: from?.flow ?? recipe.flow,
    optimizer: { ...recipe.optimizer, learningRate },
    // Over about the last tenth of the steps; a ramp would forget what the shared model knows.
    ema: { decay: Math.min(0.999, Math.max(0.9, 1 - 10 / steps)), ramp: from === undefined },
    train: {
      steps,
      batchSize,
      sampleEvery,
      checkpointEvery: Math.max(20, Math.ceil(steps / 10)),
      keepCheckpoints: 1,
      // A program is slower than its log, and lets messages in after a logged step alone.
      logEvery: isSlow ? 1 : Math.max(1, Math.floor(steps / points)),
      precision: 'fp32',
    },
    heldOut: { count: Math.min(heldOut.most, count), every: sampleEvery },
    sample: {
      ...(from && samplingOf(from)),
      ...(labels ? { labels: [...new Set(labels)].slice(0, rows) } : firstLabels(facts, rows)),
      prompts: promptsOf(from, facts, rows),
      steps: isSlow ? 12 : 25,
      perClass: columns,
      gridWeights: 'ema',
    },
  };
  return completeTraining(input, facts);
}

/** Captions of the pictures; where these are few, those that the model's own samples were made with, too. */
function promptsOf(from: TrainingConfig | undefined, { examples = [] }: SourceFacts, most: number): string[] {
  return [...new Set([...examples, ...(from?.sample.prompts ?? [])])].slice(0, most);
}

function firstLabels({ classes = 0 }: SourceFacts, most: number): { labels: number[] } {
  return { labels: Array.from({ length: Math.min(most, classes) }, (_, label) => label) };
}

/** As the shared model's own samples are made. */
function samplingOf({ sample }: TrainingConfig): Partial<TrainingConfig['sample']> {
  const { sampler, timeShift, guidance, guidanceInterval, clip, eta, diffusion } = sample;
  return { sampler, timeShift, guidance, guidanceInterval, clip, eta, diffusion };
}
