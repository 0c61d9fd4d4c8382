import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { Color, Sharp } from 'sharp';
import { decodeImage } from '../../../src/sources/images/decode.ts';
import { outputShape } from '../../../src/sources/images/transforms.ts';
import type { ImageSettings } from '../../../src/sources/settings.ts';

/** Settings of images that are taken as they are, of `size` pixels on each side. */
export function settingsOf(size: number, more: Partial<ImageSettings> = {}): ImageSettings {
  const transforms = [{ kind: 'center-crop', size } as const];
  return { channels: 3, background: '#ffffff', transforms, maxPixels: 1e6, ...more };
}

/** A picture of one colour. */
export function plain(background: Color, height = 8, width = 8): Sharp {
  return sharp({ create: { width, height, channels: 4, background } });
}

/** An RGB picture whose bytes are `value(row, column, channel)`. */
export function painted(
  height: number,
  width: number,
  value: (row: number, column: number, channel: number) => number,
): Sharp {
  const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) =>
    value(Math.floor(i / 3 / width), Math.floor(i / 3) % width, i % 3),
  );
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** A chunk of a PNG file. */
export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A PNG file with more chunks behind its header. */
export function insertChunks(
  png: Buffer,
  chunks: readonly (readonly [type: string, data: Uint8Array])[],
): Buffer {
  const header = 33;
  return Buffer.concat([
    png.subarray(0, header),
    ...chunks.map(([type, data]) => pngChunk(type, data)),
    png.subarray(header),
  ]);
}

export interface Reading {
  readonly seed?: number;
  readonly epoch?: number;
  readonly index?: number;
}

/** [C, H, W] as bytes 0 to 255, which are easier to read than -1 to 1. */
export async function decodeBytes(
  bytes: Uint8Array,
  settings: ImageSettings,
  { seed = 0, epoch = 0, index = 0 }: Reading = {},
): Promise<number[]> {
  const [channels, height, width] = outputShape(settings);
  const out = new Float32Array(channels * height * width);
  await decodeImage({ bytes, origin: 'a.png', settings, key: { seed, epoch }, index }, out, 0);
  return Array.from(out, (value) => Math.round((value + 1) * 127.5));
}
