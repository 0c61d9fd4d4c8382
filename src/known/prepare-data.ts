// The data of a run, as its model knows them, and where in them it begins or goes on.
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { type HeldOutSplit, holdOut } from '../data/hold-out.ts';
import type { SamplerPosition } from '../data/sampler.ts';
import type { Source } from '../data/source.ts';
import { counted } from '../tensor/counted.ts';
import { captionEncoderOf } from './caption-encoder.ts';
import { compareData, resumePosition } from './compare-data.ts';
import type { Conditioning } from '../train/conditioning.ts';
import { learnTokenizer } from '../train/learn-tokenizer.ts';
import { openConditioning } from '../text/conditioning.ts';
import type { ModelConfig } from '../train/settings.ts';
import type { RunConfig } from '../config/config.ts';
import { type DataRecord, dataOf, genesOf } from './data-record.ts';
import type { KnownData } from './known-data.ts';
import { stateOf } from '../train/trainer-state.ts';

export interface DataOptions {
  readonly config: RunConfig;
  readonly source: Source;
  /** Where to go on; by default at the first step. */
  readonly checkpoint?: SavedCheckpoint | undefined;
  /** Whose data they are compared with; by default that where the run goes on. */
  readonly known?: KnownData | undefined;
  /** Whether to go on with data that are not those of the checkpoint; see `compareData`. */
  readonly acceptData?: boolean | undefined;
  /** The model's settings with its tokenizer where it is found now; by default those of the config. */
  readonly captions?: ModelConfig | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface PreparedData {
  /** The samples that are trained on. */
  readonly source: Source;
  /** Where some are kept out of training. */
  readonly split: HeldOutSplit | undefined;
  readonly conditioning: Conditioning;
  /** What checkpoints tell of the data. */
  readonly record: DataRecord;
  readonly position: SamplerPosition;
  /** What is other than when the checkpoint was saved, each a sentence for the user. */
  readonly notices: readonly string[];
}

/** @throws RectiflowError as `compareData` does, and where captions or the samples that are held out cannot be had */
export async function prepareData(options: DataOptions): Promise<PreparedData> {
  const { config, source: given, checkpoint, captions = config.model } = options;
  const { count } = config.heldOut;
  const splitOf = (source: Source): HeldOutSplit | undefined =>
    count > 0 ? holdOut(source, count, config.seed) : undefined;
  const from = options.known ?? checkpoint;
  const known = from ? dataOf(from) : {};
  const learnt = checkpoint
    ? known.tokenizer
    : await learnTokenizer(config.model, splitOf(given)?.trained ?? given, {
        ...config.loader,
        onBad: ({ message }) => options.onNotice?.(`skipped while the tokenizer is learnt: ${message}`),
      });
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
  const split = splitOf(compared.source);
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
