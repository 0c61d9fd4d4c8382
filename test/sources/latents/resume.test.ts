import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Source } from '../../../src/data/source.ts';
import type { EncodeSourceOptions } from '../../../src/sources/latents/encoder.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { contents, count, encode, encoder, pictures } from './made-pictures.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'encode-'));
});
afterAll(() => rm(root, { recursive: true }));

let made = 0;
const folder = (): string => join(root, String(made++));

describe('goes on where it was stopped, to the bit', () => {
  test.each([1, 2, 3, 4, 5])('after %i batches', async (batches) => {
    const [whole, parts] = [folder(), folder()];
    await encode(whole);
    const stop = new AbortController();
    const calls: number[] = [];
    const counting = encoder(calls);
    const stopping: EncodeSourceOptions['encoder'] = {
      ...counting,
      async encode(images, batch) {
        if (calls.length === 2 * batches - 1) stop.abort(new Error('stopped'));
        return counting.encode(images, batch);
      },
    };
    const first = await encode(parts, { encoder: stopping, signal: stop.signal }).then(
      () => 'done',
      (error: Error) => error.message,
    );
    expect(first).toBe(batches === 5 ? 'done' : 'stopped');
    const before = calls.reduce((sum, each) => sum + each, 0);
    const again: number[] = [];
    await encode(parts, { encoder: encoder(again) });
    // Nothing is encoded twice.
    expect(before + again.reduce((sum, each) => sum + each, 0)).toBe(2 * count);
    expect(await contents(parts)).toEqual(await contents(whole));
  });

  test.each(['torn', 'damaged'])('a record that a crash has %s is encoded again', async (how) => {
    const [whole, parts] = [folder(), folder()];
    await encode(whole);
    const stop = new AbortController();
    await expect(
      encode(parts, {
        signal: stop.signal,
        onProgress: (done) => done >= 7 && stop.abort(new Error('stopped')),
      }),
    ).rejects.toThrow('stopped');
    const journal = join(parts, '000001.journal');
    // Of an autoencoder that was being written at an earlier crash.
    await mkdir(join(parts, 'autoencoder.partial.tmp-1'));
    const { size } = await stat(journal);
    if (how === 'torn') await truncate(journal, size - 5);
    else {
      const bytes = await readFile(journal);
      bytes[size - 20]! ^= 1;
      await writeFile(journal, bytes);
    }
    const calls: number[] = [];
    await encode(parts, { encoder: encoder(calls) });
    expect(calls[0]).toBe(2);
    expect(await contents(parts)).toEqual(await contents(whole));
    expect((await readdir(parts)).toSorted()).toEqual((await readdir(whole)).toSorted());
  });

  test.each([5, 15, 25])('what was left out stays so, and counts: stopped after %i', async (after) => {
    const source = pictures(false, { count: 40 });
    const reads: number[] = [];
    const bad: Source = {
      ...source,
      read(index, ...rest) {
        reads.push(index);
        if (index === 2) throw new RectiflowError('data', 'photos/2.png: is damaged.');
        return source.read(index, ...rest);
      },
    };
    const skip = { samples: 40, onBadSample: 'skip', flip: 0, samplesPerShard: 10 } as const;
    const path = folder();
    const stop = new AbortController();
    await expect(
      encode(
        path,
        { signal: stop.signal, onProgress: (done) => done >= after && stop.abort(new Error('stopped')) },
        skip,
        bad,
      ),
    ).rejects.toThrow('stopped');
    reads.length = 0;
    const notices: string[] = [];
    const manifest = await encode(path, { onNotice: (text) => notices.push(text) }, skip, bad);
    expect(manifest.count).toBe(39);
    expect(reads).not.toContain(2);
    expect(notices.at(-1)).toMatch(/1 of 40 samples/);
  });

  test('a folder that is complete is left as it is', async () => {
    const path = folder();
    await encode(path);
    const before = await contents(path);
    const notices: string[] = [];
    const calls: number[] = [];
    await encode(path, { encoder: encoder(calls), onNotice: (text) => notices.push(text) });
    expect([calls, notices]).toEqual([[], [`${path}: all was encoded before.`]]);
    expect(await contents(path)).toEqual(before);
  });
});
