// A new run from the weights of another, at another size.
import { join } from 'node:path';
import type { Backend } from '../../backends/backend.ts';
import type { ConfigInput, RunConfig } from '../../config/config.ts';
import { resolveConfig } from '../../config/resolve-config.ts';
import { configOfStage } from '../../config/stages.ts';
import type { Source } from '../../data/source.ts';
import { dataOfRun } from '../../known/data-of-run.ts';
import { locatedData } from '../../sources/in-run.ts';
import { dataOf } from '../../known/data-record.ts';
import { configAfter } from '../../known/config-after.ts';
import { isNullTrained, pastOf } from '../../known/trained-with.ts';
import type { Module } from '../../nn/module.ts';
import { furtherAverages } from '../../optim/ema.ts';
import { type CheckpointLoss, checkpointLoss, readPart } from '../../runner/checkpoint-loss.ts';
import { describeGrowth, describeLosses, growOptions, withSampleShape } from '../../runner/stages.ts';
import { type SavedCheckpoint, listCheckpoints } from '../../runs/checkpoint.ts';
import { checkpointFolder, readRun } from '../../runs/run-folder.ts';
import { formatShape, runError } from '../../tensor/errors.ts';
import { disposeAll } from '../../tensor/lifetime.ts';
import { sameShape } from '../../tensor/shape.ts';
import type { StoredTensor, StoredTensors } from '../../tensor/stored-tensor.ts';
import { openConditioning } from '../../text/conditioning.ts';
import { parseAverageTensor } from '../../train/averages.ts';
import { createSampleModel } from '../../train/create-model.ts';
import { type GrowOptions, grownCheckpoint } from '../../train/grown-checkpoint.ts';
import type { StoredCheckpoint } from '../../train/run-store.ts';
import { initializeState } from '../../train/state.ts';
import { stateOf } from '../../train/trainer-state.ts';
import { beginFromWeights, settled } from '../begin-from-weights.ts';
import { type RunOptions, withBackend, withKeptTokenizer, withSource } from '../parts.ts';
import { findCheckpoint } from '../run-sampler.ts';
import { type GrowthWanted, grownConfig } from './config.ts';

export interface GrowOptionsOfRun
  extends GrowthWanted, Pick<RunOptions, 'backend' | 'objective' | 'timeSampler' | 'onNotice' | 'signal'> {
  /** Where the new run's folder is made; `runs` by default. */
  readonly runs?: string | undefined;
  /** The step of a checkpoint to grow from; the last by default. */
  readonly checkpoint?: number | undefined;
  /** Hears what is being done, which may take a while. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

export interface GrownRun {
  /** The new run's folder, which `resume` trains. */
  readonly run: string;
  readonly config: RunConfig;
  /** The step of the run that it grew from. */
  readonly step: number;
  /** What was kept, resized and new, the positions, and the losses: each a sentence. */
  readonly told: readonly string[];
  /** On the same samples, as the run was and as the new one begins; absent where only a program has the data. */
  readonly before?: CheckpointLoss;
  readonly after?: CheckpointLoss;
}

/**
 * Makes a new run of the weights of another, whose images or patches are of another size. Its weights and averages, and its moments
 * where they are kept, are those of the run, resized; all that is told of it is logged by `told`.
 * @param run the folder of the run that grows; it is only read
 * @throws RectiflowError where it cannot grow so, its checkpoint is damaged (with the file), or its data cannot be read
 */
export async function growRun(run: string, options: GrowOptionsOfRun = {}): Promise<GrownRun> {
  const { onProgress, onNotice, signal, objective, timeSampler } = options;
  const data = { signal, ...(onNotice && { onNotice }) };
  const { config: recorded } = await readRun(run);
  const whole = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  const newest = (await listCheckpoints(checkpointFolder(run))).at(-1);
  // Not an older one in the place of one that is damaged: whoever wants that says so.
  const saved = await findCheckpoint(run, { checkpoint: options.checkpoint ?? newest, onNotice });
  const then = await configAfter(run, whole, saved);
  // The new run has a folder of its own.
  const from = { ...then, data: locatedData(then.data, run) };
  const resolved = resolveConfig(grownConfig(run, from, options), { origin: `grow ${run}` });
  const base = await settled(resolved, options);
  const to = configOfStage(base, 0);
  const captions = await withKeptTokenizer(to.model, run);
  const { text } = await openConditioning(captions, dataOf(saved).tokenizer);
  const [old, grown] = [from, to].map(({ model }) => createSampleModel(model, text));
  const resizing = growOptions(from, to);
  const added = compareParameters(run, old!, grown!, resizing);
  return withBackend(to, options, async (backend) => {
    const growing = { ...resizing, added: await firstValues(backend, grown!, added, to.seed) };
    const checkpoint = withSampleShape(grownCheckpoint(saved, growing), grown!.sampleShape);
    const told = describeGrowth(from, to, (await saved.open('model'))?.slots ?? new Map(), added);
    const captionsOf = ({ model }: RunConfig): RunConfig['model'] =>
      'text' in model && 'text' in captions ? { ...model, text: captions.text } : model;
    const measure = async (config: RunConfig, of: StoredCheckpoint): Promise<CheckpointLoss | undefined> => {
      if (config.data.source === 'custom') return undefined;
      onProgress?.(`measuring the loss at ${formatShape(createSampleModel(config.model).sampleShape)}`);
      const measured = {
        config,
        backend,
        checkpoint: of,
        captions: captionsOf(config),
        objective,
        timeSampler,
      };
      return withData(run, config, saved, data, (source) => checkpointLoss({ ...measured, source }));
    };
    const before = await measure(from, saved);
    const after = await measure(to, checkpoint);
    if (before && after) told.push(describeLosses(from, before, to, after));
    onProgress?.('writing the new run');
    const begun = await beginFromWeights(
      {
        config: base,
        model: grown!,
        weights: {
          model: await readPart(checkpoint, 'model'),
          ema: await readPart(checkpoint, 'ema'),
          averages: await averagesOf(checkpoint, to),
          optimizer: await readPart(checkpoint, 'optimizer'),
        },
        data: dataOf(checkpoint),
        past: {
          ...pastOfGrown(saved, from),
          begunFrom: { run, step: saved.step, sha256: saved.files['ema.safetensors']!.sha256, by: 'grow' },
        },
        state: { ...momentsOf(saved, to), ...(base.stages.length > 0 && { stage: 0 }) },
        captions,
      },
      options,
    );
    const losses = { ...(before && { before }), ...(after && { after }) };
    return { run: begun, config: base, step: saved.step, told, ...losses };
  });
}

function withData<T>(
  run: string,
  config: RunConfig,
  known: SavedCheckpoint,
  options: Pick<RunOptions, 'signal' | 'onNotice'>,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const { onBadSample } = config.loader;
  return withSource(dataOfRun(config, run), { ...options, onBadSample, known }, use);
}

/**
 * @returns the names of parameters that are new
 * @throws RectiflowError where a parameter is lost, or of a shape that nothing makes of the old one
 */
function compareParameters(run: string, old: Module, grown: Module, { resizes }: GrowOptions): string[] {
  const now = new Map(grown.parameters.map((spec) => [spec.name, spec.shape]));
  const problems = old.parameters.flatMap(({ name, shape }) => {
    const [made, wanted] = [resizes.get(name)?.shape ?? shape, now.get(name)];
    if (wanted === undefined) return `${name} has no place in it`;
    return sameShape(made, wanted)
      ? []
      : `${name} would be ${formatShape(made)} and has to be ${formatShape(wanted)}`;
  });
  if (problems.length > 0) {
    const more = problems.length > 5 ? `; and ${problems.length - 5} more` : '';
    const advice = 'Only image size, patch size and depth may become others. Set the others back';
    throw runError(
      run,
      `the new model cannot take its weights: ${problems.slice(0, 5).join('; ')}${more}`,
      advice,
    );
  }
  const before = new Set(old.parameters.map(({ name }) => name));
  return grown.parameters.map(({ name }) => name).filter((name) => !before.has(name));
}

/** As those of a new model. */
async function firstValues(
  backend: Backend,
  { parameters }: Module,
  names: readonly string[],
  seed: number,
): Promise<StoredTensors> {
  const specs = parameters.filter(({ name }) => names.includes(name));
  const buffers = new Map(
    specs.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
  );
  try {
    if (specs.length > 0) await initializeState(backend, { parameters: specs }, buffers, seed);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, buffer] of buffers)
      tensors.set(name, { dtype: 'F32', shape: buffer.shape, data: Float32Array.from(await buffer.read()) });
    return tensors;
  } finally {
    await disposeAll(buffers.values());
  }
}

/** Those of the averages that the new run keeps. */
async function averagesOf(
  checkpoint: StoredCheckpoint,
  { ema }: RunConfig,
): Promise<StoredTensors | undefined> {
  if ((await checkpoint.open('averages')) === undefined) return undefined;
  const kept = new Set(furtherAverages(ema).map(({ name }) => name));
  const all = await readPart(checkpoint, 'averages');
  const own = new Map([...all].filter(([tensor]) => kept.has(parseAverageTensor(tensor)!.name)));
  return own.size > 0 ? own : undefined;
}

/** The new run counts its updates from 0; moments that are kept have been zero some time before that. */
function momentsOf(saved: SavedCheckpoint, { growth }: RunConfig): { readonly momentsFrom?: number } {
  if (growth.moments === 'new') return {};
  const { updates, momentsFrom = 0 } = stateOf(saved);
  return { momentsFrom: momentsFrom - updates };
}

function pastOfGrown(saved: SavedCheckpoint, from: RunConfig): ReturnType<typeof pastOf> {
  const { imported } = pastOf(saved);
  const nullTrained = isNullTrained(saved, from);
  return { ...(nullTrained !== undefined && { nullTrained }), ...(imported && { imported }) };
}
