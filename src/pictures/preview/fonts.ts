// Text in scripts that we have no letters for, in those of the fonts that the machine has.
import { existsSync } from 'node:fs';
import { loadSharp } from '../sharp.ts';

/** Of letters in pixels; wide ones are about as much. */
const SIZE = 16;

/** [height, width, 4], red, green, blue and opacity. */
export interface Stamp {
  readonly height: number;
  readonly width: number;
  readonly pixels: Uint8Array;
}

/**
 * A line of text in whatever direction it is read, no wider and no higher than it may be.
 * @returns undefined where the machine has no fonts; what they lack is drawn as its number
 */
export async function stampText(
  line: string,
  grey: number,
  most: { readonly height: number; readonly width: number },
): Promise<Stamp | undefined> {
  try {
    if (!(await hasFonts())) return undefined;
    const drawn = await draw(line, grey);
    if (drawn.width <= most.width && drawn.height <= most.height) return drawn;
    const sharp = await loadSharp();
    const raw = { width: drawn.width, height: drawn.height, channels: 4 } as const;
    const { data, info } = await sharp(drawn.pixels, { raw })
      .resize({ ...most, fit: 'inside' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { height: info.height, width: info.width, pixels: data };
  } catch {
    // No text, of spaces alone, or a library that was built without it.
    return undefined;
  }
}

async function draw(line: string, grey: number): Promise<Stamp> {
  const sharp = await loadSharp();
  const escaped = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const colour = `#${grey.toString(16).padStart(2, '0').repeat(3)}`;
  const text = `<span foreground="${colour}">${escaped}</span>`;
  const { data, info } = await sharp({ text: { text, font: `sans ${SIZE}`, dpi: 72, rgba: true } })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { height: info.height, width: info.width, pixels: data };
}

let fonts: Promise<boolean> | undefined;

function hasFonts(): Promise<boolean> {
  return (fonts ??= findFonts());
}

async function findFonts(): Promise<boolean> {
  // The library complains on the terminal where a Linux has no list of its fonts: a container, which has none.
  if (process.platform === 'linux' && !existsSync('/etc/fonts/fonts.conf')) return false;
  // Without fonts all letters are boxes of one width.
  const [narrow, wide] = await Promise.all(['iiii', 'WWWW'].map((letters) => draw(letters, 0)));
  return narrow!.width < wide!.width;
}
