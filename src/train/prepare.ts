import type { Backend, Buffer, Executable } from '../backends/backend.ts';
import type { SavedCheckpoint } from '../checkpoint/checkpoint.ts';
import { type Source, checkSource } from '../data/source.ts';
import type { Model } from '../models/model.ts';
import { type Conditioning, learnTokenizer, openConditioning } from './conditioning.ts';
import type { ModelConfig, RunConfig } from './config.ts';
import { createModel } from './create-model.ts';
import { dataOf } from './data-record.ts';
import { classesOf } from './resolve-config.ts';
import { runProgram } from './run-program.ts';
import { restoreSnapshot } from './snapshot.ts';
import { allocateState, initializeState } from './state.ts';

export interface TrainingOptions {
  readonly config: RunConfig;
  readonly backend: Backend;
  readonly source: Source;
  /** Where to go on; by default at the first step. */
  readonly checkpoint?: SavedCheckpoint | undefined;
  /** The model's settings with its tokenizer where it is found now; by default those of the config. */
  readonly captions?: ModelConfig | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** A training step that is ready to run. */
export interface PreparedTraining extends TrainingOptions {
  readonly model: Model;
  readonly conditioning: Conditioning;
  /** The step's whole state: weights, moments and averages. */
  readonly buffers: ReadonlyMap<string, Buffer>;
  readonly executable: Executable;
}

/**
 * Builds the model and its training step, and fills in the weights: new ones, or those of the checkpoint. Whatever can be
 * wrong with a run is found here, before its folder is made.
 * @throws RectiflowError when data and model do not fit together, or the checkpoint does not fit the config
 */
export async function prepareTraining(options: TrainingOptions): Promise<PreparedTraining> {
  const { config, backend, source, checkpoint } = options;
  const learnt = checkpoint ? dataOf(checkpoint).tokenizer : await learnTokenizer(config.model, source);
  const conditioning = await openConditioning(options.captions ?? config.model, learnt);
  const model = createModel(config.model, conditioning.text);
  const captions = config.model.kind === 'text-dit';
  checkSource(source, { shape: model.sampleShape, classes: classesOf(config.model), captions });
  const program = runProgram(config, model);
  const buffers = allocateState(backend, program);
  const executable = backend.compile(program, buffers);
  if (checkpoint) await restoreSnapshot(model, buffers, checkpoint, options.onNotice);
  else await initializeState(backend, model, buffers, config.seed);
  return { ...options, model, conditioning, buffers, executable };
}
