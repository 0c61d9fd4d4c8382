import { DIGIT_CLASSES, digitsShape } from '../sources/digits.ts';
import type { DataConfig, Side, Transform } from '../sources/settings.ts';
import type { SourceFacts } from '../data/source.ts';
import { describeProblem } from '../tensor/config-error.ts';
import type { ParsedData } from './data-schema.ts';

/** Emoji come in one size only. */
const emojiSize = 32;

/** `size` is short for the transforms that make images of that size: the middle of the image, as much of it as fits. */
export function completeData(data: ParsedData, problems: string[]): DataConfig {
  if (!('maxPixels' in data)) return data as DataConfig;
  const { size = data.source === 'emoji' ? emojiSize : undefined, transforms, ...rest } = data;
  if (transforms && data.size !== undefined) {
    problems.push('data: size and transforms both say how large images become. Give one of them');
  } else if (!transforms && size === undefined) {
    problems.push(
      describeProblem(['data', 'size'], 'the size of the images, as in 32, or data.transforms', undefined),
    );
  }
  return { ...rest, transforms: transforms ?? (size === undefined ? [] : fitTo(size)) } as DataConfig;
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
