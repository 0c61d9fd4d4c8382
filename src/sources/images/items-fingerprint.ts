import { spreadIndices } from '../../data/fingerprint.ts';
import { Fingerprint } from '../fingerprint.ts';
import type { Condition } from '../settings.ts';
import type { Captions } from '../../data/source.ts';
import type { ImageItems } from './image-source.ts';

/** Files and captions that are read, at most, and bytes of each file: two that are equal so far are hardly two images. */
const [mostRead, mostBytes] = [1000, 1 << 16];
/** Files that are asked for at a time. */
const atOnce = 64;

/**
 * The names of all images, their labels if those are told; the sizes of 10,000 files, the beginnings of 1,000 and as many captions,
 * evenly spread where there are more.
 */
export async function fingerprintItems(
  items: ImageItems,
  condition: Condition,
  classNames: readonly string[] | undefined,
): Promise<string> {
  const { count } = items;
  const digest = new Fingerprint();
  const keys = function* (): Generator<string> {
    for (let index = 0; index < count; index++) yield items.key!(index);
  };
  digest.texts([String(count)]).texts(items.key ? keys() : []);
  if (condition === 'class') digest.labels(count, (index) => items.label!(index), classNames);
  if (items.size) digest.texts(await ofEach(spreadIndices(count), (index) => items.size!(index)));
  if (items.excerpt) {
    const excerptOf = async (index: number): Promise<string> =>
      new Fingerprint().bytes(await items.excerpt!(index, mostBytes)).end();
    digest.texts(await ofEach(spreadIndices(count, mostRead), excerptOf));
  }
  if (condition === 'caption')
    digest.texts(await ofEach(spreadIndices(count, mostRead), (index) => items.caption!(index)));
  return digest.end();
}

/** What cannot be read is part of what a set is, and is told when the sample is. */
async function ofEach(
  indices: readonly number[],
  read: (index: number) => Captions | number | Promise<Captions | number>,
): Promise<string[]> {
  const found: string[] = [];
  for (let start = 0; start < indices.length; start += atOnce) {
    const some = indices.slice(start, start + atOnce).map(async (index) => read(index));
    for (const result of await Promise.allSettled(some))
      found.push(result.status === 'fulfilled' ? String(result.value) : 'unreadable');
  }
  return found;
}
