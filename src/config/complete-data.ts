import { DIGIT_CLASSES, digitsShape } from '../sources/digits.ts';
import { MOST_BUCKETS, areTooMany } from '../sources/images/buckets.ts';
import { formatSize, toSize } from '../sources/images/transforms.ts';
import { staysInside } from '../sources/in-run.ts';
import type { ArrayData, DataConfig, Side, Transform } from '../sources/settings.ts';
import type { SourceFacts } from '../data/source.ts';
import { describeProblem } from '../tensor/config-error.ts';
import type { ParsedData } from './data-schema.ts';

/** Emoji come in one size only. */
const emojiSize = 32;

/**
 * `size` is short for the transforms that make images of that size: the middle of the image, as much of it as fits. Sizes and
 * buckets say how large images become by themselves.
 */
export function completeData(data: ParsedData, problems: string[]): DataConfig {
  if (data.source === 'array' && data.inRun) checkInside(data, problems);
  if (!('maxPixels' in data)) return data as DataConfig;
  const isSized = data.sizes !== undefined || data.buckets !== undefined;
  const { size = data.source === 'emoji' && !isSized ? emojiSize : undefined, transforms, ...rest } = data;
  if (isSized) {
    checkSeveralSizes(data, problems);
    return { ...rest, transforms: transforms ?? [] } as DataConfig;
  }
  if (data.crop !== undefined)
    problems.push(
      describeProblem(
        ['data', 'crop'],
        'data.sizes or data.buckets beside it; else data.transforms',
        data.crop,
      ),
    );
  if (transforms && data.size !== undefined) {
    problems.push('data: size and transforms both say how large images become. Give one of them');
  } else if (!transforms && size === undefined) {
    problems.push(
      describeProblem(['data', 'size'], 'the size of the images, as in 32, or data.transforms', undefined),
    );
  }
  return { ...rest, transforms: transforms ?? (size === undefined ? [] : fitTo(size)) } as DataConfig;
}

/** A run that somebody else made reads nothing of this machine beside itself. */
function checkInside({ path, labels, captions }: ArrayData, problems: string[]): void {
  for (const [name, file] of Object.entries({ path, labels, captions }))
    if (file !== undefined && !staysInside(file))
      problems.push(describeProblem(['data', name], "a path below the run's folder (data.inRun)", file));
}

type SizedData = Extract<ParsedData, { readonly maxPixels: number }>;

/** Of data that are read at several sizes: what they may not have beside, and sizes that cannot be. */
function checkSeveralSizes(data: SizedData, problems: string[]): void {
  const { size, sizes, buckets, transforms = [] } = data;
  const given = Object.entries({ size, sizes, buckets }).flatMap(([name, value]) => (value ? [name] : []));
  if (given.length > 1)
    problems.push(`data: ${given.join(' and ')} say how large images become. Give one of them`);
  for (const [i, { kind }] of transforms.entries()) {
    if (kind === 'horizontal-flip') continue;
    const wanted = `only horizontal-flip beside data.${sizes ? 'sizes' : 'buckets'}, which say how large images become (data.crop says what is cropped)`;
    problems.push(describeProblem(['data', 'transforms', i], wanted, kind));
  }
  const sides = (sizes ?? []).map((each) => formatSize(toSize(each)));
  for (const [i, each] of sides.entries())
    if (sides.indexOf(each) < i)
      problems.push(
        describeProblem(['data', 'sizes', i], 'a size that is not in the list before', sizes![i]),
      );
  if (buckets === undefined) return;
  const { area, step } = buckets;
  if (step * step > area) {
    const wanted = `at most ${Math.floor(Math.sqrt(area))}, so that a square of it has no more than the area ${area}`;
    problems.push(describeProblem(['data', 'buckets', 'step'], wanted, step));
  } else if (areTooMany(buckets)) {
    const wanted = `a step of which there are at most ${MOST_BUCKETS} buckets`;
    problems.push(describeProblem(['data', 'buckets', 'step'], wanted, step));
  }
}

function fitTo(size: Side): Transform[] {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  if (height !== width) return [{ kind: 'resize', size: [height, width] }];
  return [
    { kind: 'resize', size: height },
    { kind: 'center-crop', size: height },
  ];
}

/** What is known of data without opening them. */
export function factsOf(data: DataConfig): SourceFacts | undefined {
  if (data.source !== 'digits' && data.source !== 'fashion') return undefined;
  return { name: data.source, count: 1, shape: digitsShape(data.pad), classes: DIGIT_CLASSES };
}
