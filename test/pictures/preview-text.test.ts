import { beforeEach, describe, expect, test, vi } from 'vitest';
import * as fonts from '../../src/pictures/preview/fonts.ts';
import { LINE_HEIGHT, drawLine } from '../../src/pictures/preview/text.ts';

const WIDTH = 60;

/** The pixels of a line between four columns that stay empty on either side. */
async function draw(text: string): Promise<string> {
  const pixels = new Uint8Array(3 * WIDTH * LINE_HEIGHT);
  const canvas = { width: WIDTH, height: LINE_HEIGHT, channels: 3, pixels } as const;
  await drawLine(canvas, text, 4, 0, WIDTH - 8, 255);
  const isInk = (x: number): boolean =>
    pixels.some((value, i) => value > 0 && Math.floor(i / 3) % WIDTH === x);
  const edges = [0, 1, 2, 3].flatMap((x) => [x, WIDTH - 1 - x]);
  expect(edges.some(isInk)).toBe(false);
  return Buffer.from(pixels).toString('base64');
}

const CHARACTERS = ['a', '日', '本', 'Ж', 'ж', 'ع', 'ไ', '<', '&', '日&', '😀', '😁', '\u{10FFFD}', '\uFFFD'];

describe('letters that are not ours', () => {
  beforeEach(() => {
    vi.restoreAllMocks();
  });

  test('are drawn as their numbers where there are no fonts: never as nothing, nor as what stands for another', async () => {
    vi.spyOn(fonts, 'stampText').mockResolvedValue(undefined);
    const pictures = new Set<string>();
    for (const text of [' ', ...CHARACTERS]) pictures.add(await draw(text));
    expect(pictures.size).toBe(CHARACTERS.length + 1);
  });

  test('are drawn in the fonts that there are, within the line', async () => {
    const empty = await draw(' ');
    for (const text of [...CHARACTERS, 'кошка на ковре', 'قطة على السجادة', 'हिन्दी', '猫'.repeat(20)])
      expect(await draw(text)).not.toBe(empty);
  });

  test('leave those of ours as they are', async () => {
    const stamp = vi.spyOn(fonts, 'stampText');
    await draw('abc');
    expect(stamp).not.toHaveBeenCalled();
  });
});
