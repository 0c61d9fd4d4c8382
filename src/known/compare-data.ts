// What a checkpoint knows of its data, compared with the data that it meets: the one place where that is done.
import type { SamplerPosition } from '../data/sampler.ts';
import type { PairedBy, Source, SourceFacts } from '../data/source.ts';
import { counted, grouped } from '../tensor/counted.ts';
import { dataError, formatShape } from '../tensor/errors.ts';
import { sameShape } from '../tensor/shape.ts';
import { isSameEncoder } from './caption-encoder.ts';
import { compareClasses } from './compare-classes.ts';
import { compareValues } from './compare-values.ts';
import type { ModelConfig } from '../train/settings.ts';
import { type Difference, unchanged } from './data-difference.ts';
import {
  type CaptionEncoder,
  type DataRecord,
  dataOf,
  describeData,
  genesOf,
  toldTo,
} from './data-record.ts';
import type { KnownData } from './known-data.ts';
import { classesOf } from '../train/create-model.ts';

export interface ComparedData {
  /** The data as the model knows them: labels and values by name. */
  readonly source: Source;
  /** What is recorded of them from now on. */
  readonly record: DataRecord;
  /** What is other than it was, each a sentence for the user. */
  readonly notices: readonly string[];
}

export interface CompareOptions {
  /** Whose data they are compared with; without, nothing is. */
  readonly checkpoint: KnownData | undefined;
  /** The model, as it is now. */
  readonly model: ModelConfig;
  /** `DataRecord.captionEncoder`, as it is now. */
  readonly captionEncoder?: CaptionEncoder | undefined;
  /** Whether to go on with data that are not those of the checkpoint. */
  readonly accept?: boolean | undefined;
}

/**
 * Compares data with what a checkpoint knows of its own. What has names is mapped by them, so that labels and values mean what they
 * did. What cannot be mapped is refused, or taken where that is accepted, and recorded, so that it need not be accepted again. A set
 * that has grown, or is another, is said. What the checkpoint does not know is not compared.
 * @throws RectiflowError that lists what differs, and says how to go on
 */
export async function compareData(given: Source, options: CompareOptions): Promise<ComparedData> {
  const { checkpoint, model, accept = false } = options;
  const known = checkpoint ? dataOf(checkpoint) : {};
  const told = toldTo(model);
  // Of cells more is recorded of each class than its name.
  const rows = genesOf(known.record) && known.classNames ? known.classNames.length : classesOf(model);
  const classes = told === 'class' ? compareClasses(given, known, rows) : unchanged(given);
  const values = compareValues(classes.source, known);
  const differences = [
    ...classes.differences,
    ...values.differences,
    ...compareEncoders(known.captionEncoder, options.captionEncoder),
    ...comparePairs(known.paired, given.paired),
  ];
  const before = known.accepted ?? [];
  const isKnown = (difference: Difference): boolean =>
    before.some(({ text }) => text === describeDifference(difference));
  const refused = differences.filter((each) => each.ifAccepted !== undefined && !isKnown(each));
  if (refused.length > 0 && !accept) {
    const found = refused.map(({ text }) => text).join('; ');
    const meant = refused.map(({ ifAccepted }) => ifAccepted).join(', and ');
    const advice = `Change them back, or go on with --accept-data (acceptData), which ${meant}`;
    throw dataError(given.name, `the data are not those of ${checkpoint?.path}: ${found}`, advice);
  }
  const { shape } = values.source;
  if (known.shape && !sameShape(known.shape, shape)) {
    const problem = `samples are ${formatShape(shape)}, those of ${checkpoint?.path} were ${formatShape(known.shape)}`;
    throw dataError(given.name, problem, 'Set the size of the data back, or train a new run');
  }
  const described = await describeData(values.source, told);
  const accepted = [
    ...before,
    ...refused.map((each) => ({ step: checkpoint!.step, text: describeDifference(each) })),
  ];
  const texts = [...differences.map(describeDifference), ...compareSets(known, described)];
  return {
    source: values.source,
    record: { ...described, ...(accepted.length > 0 && { accepted }) },
    notices: texts.map((text) => sentence(given, text)),
  };
}

function describeDifference({ text, ifAccepted }: Difference): string {
  return ifAccepted === undefined ? text : `${text}; this was accepted, which ${ifAccepted}`;
}

function compareEncoders(known: CaptionEncoder | undefined, now: CaptionEncoder | undefined): Difference[] {
  if (isSameEncoder(known, now)) return [];
  const text = 'captions become other tokens or embeddings than those that the model knows';
  return [{ text, ifAccepted: 'takes them as they are now' }];
}

/** Noise goes to other samples in pairs of another model. */
function comparePairs(known: PairedBy | undefined, now: PairedBy | undefined): Difference[] {
  if (known === undefined || known.weights === now?.weights) return [];
  const learnt = `${known.model}, whose pairs were learnt from`;
  const text =
    now === undefined
      ? `they are no pairs, as those made by ${learnt}`
      : `the pairs were made by ${now.model}, with other weights than those of ${learnt}`;
  return [{ text, ifAccepted: 'learns from these from now on' }];
}

function compareSets(known: DataRecord, now: DataRecord): string[] {
  if (known.count !== undefined && known.count !== now.count)
    return [`the set had ${counted(known.count, 'sample')}, now it has ${grouped(now.count!)}`];
  if (known.fingerprint === undefined || now.fingerprint === undefined) return [];
  if (known.fingerprint === now.fingerprint) return [];
  return [
    `the set has ${counted(now.count!, 'sample')} as before, but not the same ones: some were replaced, renamed, edited or told otherwise`,
  ];
}

/** Where in the data a run goes on. */
export interface ResumedPosition {
  readonly position: SamplerPosition;
  readonly notices: readonly string[];
}

/**
 * The order of an epoch is a function of the number of samples that are trained on: with another number the epoch that was under way
 * ends, and the next one begins.
 * @param trained the samples that are trained on now
 * @param isSplit whether others are kept out of training
 */
export function resumePosition(
  given: SamplerPosition,
  known: DataRecord,
  now: DataRecord,
  { trained, isSplit }: { readonly trained: SourceFacts; readonly isSplit: boolean },
): ResumedPosition {
  const { epoch, offset } = given;
  const before = known.count === undefined ? undefined : known.count - (known.heldOut ?? 0);
  const isOther = before === undefined ? offset >= trained.count : before !== trained.count;
  if (!isOther) return { position: given, notices: [] };
  const isOtherSplit = isSplit && known.count !== undefined && known.count !== now.count;
  const notices = [
    ...(offset === 0
      ? []
      : [
          `the epoch that was under way ends here, and the next one, of ${counted(trained.count, 'sample')}, begins`,
        ]),
    ...(isOtherSplit
      ? [
          'which samples are held out depends on how many there are: some of those held out now were trained on',
        ]
      : []),
  ];
  return {
    position: offset === 0 ? given : { ...given, epoch: epoch + 1, offset: 0 },
    notices: notices.map((text) => sentence(trained, text)),
  };
}

function sentence({ name }: SourceFacts, text: string): string {
  return `${name}: ${text}.`;
}
