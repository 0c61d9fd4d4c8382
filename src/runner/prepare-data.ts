// The data of a run, as its model knows them, and where in them it begins or goes on.
import type { StoredCheckpoint } from '../train/run-store.ts';
import type { Source } from '../data/source.ts';
import { counted } from '../tensor/counted.ts';
import { captionEncoderOf } from '../known/caption-encoder.ts';
import { compareData, resumePosition } from '../known/compare-data.ts';
import { openConditioning } from '../text/conditioning.ts';
import type { ModelConfig } from '../train/settings.ts';
import type { RunConfig } from '../config/config.ts';
import { type DataRecord, dataOf, genesOf } from '../known/data-record.ts';
import type { KnownData } from '../known/known-data.ts';
import { stateOf } from '../train/trainer-state.ts';
import { type TrainingData, learnFromData, splitOf } from '../train/training-data.ts';

export interface DataOptions {
  readonly config: RunConfig;
  readonly source: Source;
  /** Where to go on; by default at the first step. */
  readonly checkpoint?: StoredCheckpoint | undefined;
  /** Whose data they are compared with; by default that where the run goes on. */
  readonly known?: KnownData | undefined;
  /** Whether to go on with data that are not those of the checkpoint; see `compareData`. */
  readonly acceptData?: boolean | undefined;
  /** The model's settings with its tokenizer where it is found now; by default those of the config. */
  readonly captions?: ModelConfig | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface PreparedData extends TrainingData {
  /** What checkpoints tell of the data. */
  readonly record: DataRecord;
}

/** @throws RectiflowError as `compareData` does, and where captions or the samples that are held out cannot be had */
export async function prepareData(options: DataOptions): Promise<PreparedData> {
  const { config, source: given, checkpoint, captions = config.model } = options;
  const { count } = config.heldOut;
  const from = options.known ?? checkpoint;
  const known = from ? dataOf(from) : {};
  const learnt = checkpoint
    ? known.tokenizer
    : await learnFromData(options, splitOf(config, given)?.trained ?? given);
  const conditioning = await openConditioning(captions, learnt);
  const captionEncoder = await captionEncoderOf(captions, conditioning);
  const compared = await compareData(given, {
    checkpoint: from,
    model: config.model,
    captionEncoder,
    accept: options.acceptData,
  });
  const record: DataRecord = {
    ...compared.record,
    ...(count > 0 && { heldOut: count }),
    ...(learnt && { tokenizer: learnt }),
    ...(captionEncoder !== undefined && { captionEncoder }),
  };
  const split = splitOf(config, compared.source);
  const source = split?.trained ?? compared.source;
  const isSplit = count > 0 || ('holdOut' in config.data && config.data.holdOut > 0);
  const { position, notices } = resumePosition(stateOf(checkpoint).position, known, record, {
    trained: source,
    isSplit,
  });
  const all = [...describeGenes(config, known), ...compared.notices, ...notices];
  return { source, split, conditioning, record, position, notices: all };
}

/** A model knows the genes that it began with, whatever the setting says now. */
function describeGenes({ data }: RunConfig, { record }: DataRecord): string[] {
  const genes = genesOf(record)?.length;
  if (genes === undefined || data.source !== 'expression') return [];
  const { variableGenes } = data;
  if (variableGenes === 0 || variableGenes === genes) return [];
  return [
    `the model keeps its ${counted(genes, 'gene')}: data.variableGenes ${variableGenes} is for a new run.`,
  ];
}
