import { describeAlike } from './alike.ts';
import type { DataReport } from './data-report.ts';
import { listSome } from './list-some.ts';
import { unusedAdvice } from './told.ts';

/** Classes that differ in size by more than this are unbalanced. */
const UNBALANCED = 10;
/** A share of the set from which on something is no exception. */
const NOTABLE = 0.1;
/** Of values that should have the mean 0. */
const MOST_MEAN = 0.5;

/** What to change about data, most pressing first. */
export function checkAdvice(report: Omit<DataReport, 'advice'>): string[] {
  const { count, unreadable, duplicates, enlarged } = report;
  return [
    ...say(
      unreadable.count > 0,
      `Samples that cannot be read: ${unreadable.count}. Fetch them again, or remove them.`,
    ),
    ...say(
      duplicates.count > 0,
      `Copies of other samples: ${duplicates.count}. Remove them, unless they are meant to count more.`,
    ),
    ...unusedAdvice(report.unused),
    ...classAdvice(report),
    ...say(
      enlarged > NOTABLE * count,
      `${enlarged} of ${count} images are smaller than the ${report.shape.slice(1).join('x')} that the model sees: ` +
        'train at a smaller size, or remove them.',
    ),
    ...aspectAdvice(report),
    ...valueAdvice(report),
  ];
}

function classAdvice({ classes = [] }: Omit<DataReport, 'advice'>): string[] {
  const filled = classes.filter(({ count }) => count > 0);
  const empty = classes.filter(({ count }) => count === 0);
  const sorted = filled.toSorted((a, b) => b.count - a.count);
  const [largest, smallest] = [sorted[0], sorted.at(-1)];
  const alike = describeAlike(classes.map(({ name }) => name));
  const isUnbalanced =
    largest !== undefined && smallest !== undefined && largest.count > UNBALANCED * smallest.count;
  return [
    ...(alike === undefined ? [] : [alike]),
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

function aspectAdvice({ aspects, count }: Omit<DataReport, 'advice'>): string[] {
  const long = aspects.filter(({ name }) => name === 'below 1:2' || name === 'above 2:1');
  const images = long.reduce((sum, tally) => sum + tally.count, 0);
  const advice = `${images} of ${count} images are more than twice as long as wide: a crop loses most of them. Cut them up, or remove them.`;
  return say(images > NOTABLE * count, advice);
}

function valueAdvice({ values, shape, latents }: Omit<DataReport, 'advice'>): string[] {
  if (values === undefined) return [];
  const { least, most, mean, deviation } = values;
  if (deviation < 1e-3) return ['All values are nearly the same: there is nothing to learn.'];
  const isImages = shape.length === 3 && latents === undefined && least >= -1.001 && most <= 1.001;
  const isScaled = Math.abs(mean) < MOST_MEAN && deviation > 0.5 && deviation < 2;
  if (isImages || shape.length === 1 || isScaled) return [];
  const { shift = 0, scale = 1 } = latents ?? {};
  const [better, by] = [shift + mean / scale, scale / deviation].map((value) => value.toPrecision(3));
  return [
    `Values have the mean ${mean.toPrecision(3)} and the deviation ${deviation.toPrecision(3)}; latents should have about 0 and 1. ` +
      `Set data.shift to ${better} and data.scale to ${by}.`,
  ];
}

function say(holds: boolean, advice: string): string[] {
  return holds ? [advice] : [];
}
