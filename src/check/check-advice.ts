import { adviseNames } from '../data/alike.ts';
import { type BadSamplePolicy, mayLeaveOut } from '../data/bad-samples.ts';
import { lostCaptions, untoldCaptions } from './caption-census.ts';
import type { DataReport, Finding, LatentReport, SizeReport } from './data-report.ts';
import { counted } from '../tensor/counted.ts';
import { listSome } from '../data/list-some.ts';
import { unusedAdvice } from '../data/told.ts';
import { describeRange } from '../data/value-range.ts';

/** Classes that differ in size by more than this are unbalanced. */
const UNBALANCED = 10;
/** A share of the set from which on something is no exception. */
const NOTABLE = 0.1;
/** Of values that should have the mean 0. */
const MOST_MEAN = 0.5;
/** Pictures without a lighter value hold booleans or numbers of classes, rather than shades. */
const MOST_BLACK = 16 / 127.5 - 1;

export interface FindingOptions {
  /** Of the training; fail by default. */
  readonly onBadSample?: BadSamplePolicy | undefined;
}

type Report = Omit<DataReport, 'findings' | 'advice'>;

/** What to change about data, the most pressing first: the verdict of every command that looks at them. */
export function checkFindings(report: Report, { onBadSample = 'fail' }: FindingOptions = {}): Finding[] {
  const { count, unreadable, duplicates, enlarged, captions } = report;
  const { conflicts } = duplicates;
  const isLeftOut = mayLeaveOut(onBadSample, unreadable.count, count);
  const findings = [
    ...say(
      unreadable.count > 0,
      unreadable.count === count
        ? `No sample can be read. ${unreadable.problems[0]}`
        : `Samples that cannot be read: ${unreadable.count}. Fetch them again, or remove them.`,
      { status: isLeftOut ? 'warn' : 'fail' },
    ),
    ...valueFindings(report),
    ...(captions ? untoldCaptions(captions) : []).map((text) => finding(text, 'captions', 'fail')),
    ...say(
      conflicts.count > 0,
      `Copies of other samples with another ${captions ? 'caption' : 'class'}: ${conflicts.count}. ` +
        `The model is told different things of the same: keep the one that is right${captions ? ', or both where both are' : ''}.`,
    ),
    ...say(
      duplicates.count > 0,
      `Copies of other samples: ${duplicates.count}. Remove them, unless they are meant to count more.`,
    ),
    ...unusedAdvice(report).map((text) => finding(text)),
    ...refusedFindings(report, onBadSample),
    ...(captions ? lostCaptions(captions) : []).map((text) => finding(text, 'captions')),
    ...classFindings(report),
    ...say(
      enlarged > NOTABLE * count,
      `${enlarged} of ${count} images are smaller than the ${report.shape.slice(1).join('x')} that the model sees: ` +
        'train at a smaller size, or remove them.',
    ),
    ...(report.readAt ? sizeFindings(report.readAt) : aspectFindings(report)),
  ];
  return findings.toSorted((a, b) => Number(b.status === 'fail') - Number(a.status === 'fail'));
}

/** A check leaves out what is bad to look at the rest; a source that may leave it out has none that are too many. */
function refusedFindings({ unused }: Report, onBadSample: BadSamplePolicy): Finding[] {
  if (onBadSample === 'skip') return [];
  const refused = unused.filter(({ areBad }) => areBad === true);
  return refused.map(({ count, what }) =>
    finding(
      `Training refuses the ${counted(count, what)}, unless loader.onBadSample is skip and they are few.`,
      'data',
      'fail',
    ),
  );
}

function classFindings({ classes = [] }: Report): Finding[] {
  const filled = classes.filter(({ count }) => count > 0);
  const empty = classes.filter(({ count }) => count === 0);
  const sorted = filled.toSorted((a, b) => b.count - a.count);
  const [largest, smallest] = [sorted[0], sorted.at(-1)];
  const isUnbalanced =
    largest !== undefined && smallest !== undefined && largest.count > UNBALANCED * smallest.count;
  return [
    ...adviseNames(classes.map(({ name }) => name)).map((text) => finding(text)),
    ...say(
      empty.length > 0,
      `No sample has the class ${listSome(empty.map(({ name }) => name))}: add some, or drop it.`,
    ),
    ...say(
      isUnbalanced,
      `There are ${largest?.count} samples of ${largest?.name} and ${smallest?.count} of ${smallest?.name}: ` +
        'the small classes will be learnt badly. Add to them, or merge them.',
    ),
  ];
}

/** Of an image's area, from which on a crop is worth a word. */
const MOST_CROPPED = 0.25;

function sizeFindings(sizes: readonly SizeReport[]): Finding[] {
  const cropped = sizes.filter((each) => each.count > 0 && each.cropped > MOST_CROPPED);
  const small = sizes.filter(({ count, batchSize = 0 }) => count > 0 && 2 * count <= batchSize);
  const share = (each: SizeReport): string => `${Math.round(100 * each.cropped)} % at ${each.name}`;
  return [
    ...say(
      cropped.length > 0,
      `Much of the images is cropped away, on average: ${listSome(cropped.map(share))}. ` +
        'Let sizes have other proportions: raise data.buckets.maxAspect or lower data.buckets.step, or give data.buckets in place of data.sizes.',
    ),
    ...say(
      small.length > 0,
      `Few images are of these sizes, so that a batch shows them twice or more: ${listSome(small.map(({ name, count }) => `${count} of ${name}`))}. ` +
        'Raise data.buckets.step or lower data.buckets.maxAspect for fewer buckets, or make train.batchSize smaller.',
    ),
  ];
}

function aspectFindings({ aspects, count }: Report): Finding[] {
  const long = aspects.filter(({ name }) => name === 'below 1:2' || name === 'above 2:1');
  const images = long.reduce((sum, tally) => sum + tally.count, 0);
  const advice = `${images} of ${count} images are more than twice as long as wide: a crop loses most of them. Cut them up, or remove them.`;
  return say(images > NOTABLE * count, advice);
}

function valueFindings({ values, shape, latents, pairedBy }: Report): Finding[] {
  if (values === undefined) return [];
  const { most, least, mean, deviation, arePictures, areBytes } = values;
  const finite =
    'Some values are NaN or infinite: find the samples that hold them, and remove or correct them.';
  // A single NaN or infinity makes the mean so.
  if (!Number.isFinite(mean)) return [finding(finite, 'values', 'fail')];
  if (most === least || (arePictures && deviation < 1e-3))
    return [finding('All values are nearly the same: there is nothing to learn.', 'values', 'fail')];
  // They are ends of paths as they are, wherever they lie.
  if (pairedBy !== undefined) return [];
  if (arePictures && areBytes && most < MOST_BLACK) {
    const lightest = Math.round((most + 1) * 127.5);
    const shades = `Of the shades from 0 to 255 the images have none above ${lightest}: to a model they are all black`;
    const scale = `Where ${lightest} stands for white, scale them: (images * (255 / ${lightest})).round().astype("uint8").`;
    return [finding(`${shades}. ${scale}`, 'values', 'fail')];
  }
  const isScalable = shape.length !== 1;
  const rescale = latents ? rescaling(latents, mean, deviation) : setScale(mean, 1 / deviation);
  const problem = describeRange(values, 'the set', isScalable ? rescale : undefined);
  if (problem !== undefined) return [finding(problem, 'values', 'fail')];
  const isScaled = Math.abs(mean) < MOST_MEAN && deviation > 0.5 && deviation < 2;
  if (arePictures || !isScalable || isScaled) return [];
  const found = `Values have the mean ${mean.toPrecision(3)} and the deviation ${deviation.toPrecision(3)}; latents should have about 0 and 1.`;
  return [finding(`${found} ${rescale}`, 'values')];
}

/** What to do about latents of another mean and deviation than 0 and 1. */
function rescaling({ scale, shift, channels }: LatentReport, mean: number, deviation: number): string {
  if (typeof scale === 'number' && typeof shift === 'number')
    return `${setScale(shift + mean / scale, scale / deviation)} ${ofEncoded}`;
  const odd = channels.findIndex(
    (each) => Math.abs(each.mean) > MOST_MEAN || !(Math.abs(Math.log2(each.deviation)) < 1),
  );
  const { mean: of, deviation: spread } = channels[Math.max(0, odd)]!;
  return `Channel ${Math.max(0, odd)} has ${of.toPrecision(3)} and ${spread.toPrecision(3)}. ${ofEncoded}`;
}

function setScale(shift: number, scale: number): string {
  return `Set data.shift to ${shift.toPrecision(3)} and data.scale to ${scale.toPrecision(3)}.`;
}

const ofEncoded = 'Of data.source latents set data.scaling to statistics, or to such numbers.';

function say(
  holds: boolean,
  text: string,
  { status }: Pick<Finding, 'status'> = { status: 'warn' },
): Finding[] {
  return holds ? [finding(text, 'data', status)] : [];
}

function finding(
  text: string,
  about: Finding['about'] = 'data',
  status: Finding['status'] = 'warn',
): Finding {
  return { about, status, text };
}
