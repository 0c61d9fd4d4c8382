// What is cut, damaged or refused while a run is kept without a disk; and that its files are those of a run folder.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { saveCheckpoint as saveOnDisk } from '../../src/runs/checkpoint.ts';
import { storeAverages } from '../../src/runs/store-averages.ts';
import { MemoryFolder } from '../../src/kept/folder.ts';
import { KeptRun } from '../../src/kept/run.ts';
import { type Checkpoint, inMemory } from '../../src/train/run-store.ts';
import { MemoryStore } from '../../src/train/memory-store.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { checkpointAt } from '../runs/fixtures.ts';
import { temporaryFolder } from '../support/cli.ts';
import { configOf, here, pictures, trainKept } from '../support/kept-run.ts';

const all = { keepCheckpoints: 100, keepEvery: 0 };

class QuotaExceededError extends Error {
  override readonly name = 'QuotaExceededError';
}

/** Takes so many bytes, and no more. */
class SmallFolder extends MemoryFolder {
  left = Infinity;

  #take(bytes: number): void {
    if (bytes > this.left) throw new QuotaExceededError('The quota has been exceeded.');
    this.left -= bytes;
  }

  override async write(file: string, chunks: readonly Uint8Array[]): Promise<void> {
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    // As a browser does, it leaves what there was room for.
    if (bytes > this.left) await super.write(file, [chunks[0]!.subarray(0, this.left)]);
    this.#take(bytes);
    await super.write(file, chunks);
  }

  override async append(file: string, bytes: Uint8Array): Promise<void> {
    this.#take(bytes.length);
    await super.append(file, bytes);
  }
}

async function newRun<Folder extends MemoryFolder>(
  folder: Folder,
): Promise<{ folder: Folder; run: KeptRun }> {
  const data = pictures();
  return { folder, run: await KeptRun.create(folder, { config: configOf(data), data, ...here }) };
}

const failing = (work: Promise<unknown>): Promise<RectiflowError> =>
  work.then(
    () => expect.unreachable('it was taken'),
    (error: RectiflowError) => error,
  );

describe('checkpoints that are kept without a disk', () => {
  it('are byte by byte those of a run folder, whatever they hold', async () => {
    const numbers = fc.array(fc.float(), { minLength: 1, maxLength: 20 });
    const tensors = fc.dictionary(fc.string({ minLength: 1 }), numbers, { minKeys: 1, maxKeys: 4 }).map(
      (named): StoredTensors =>
        new Map(
          Object.entries(named)
            .filter(([name]) => name !== '__metadata__')
            .map(([name, values]) => [
              name,
              { dtype: 'F32', shape: [values.length], data: Float32Array.from(values) },
            ]),
        ),
    );
    const checkpoint: fc.Arbitrary<Checkpoint> = fc.record({
      step: fc.nat(20_000_000),
      model: tensors,
      ema: tensors,
      optimizer: tensors,
      averages: fc.option(tensors, { nil: undefined }),
      state: fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<Record<string, unknown>>,
      metadata: fc.dictionary(fc.string({ minLength: 1 }), fc.string()),
    });
    const { folder, run } = await newRun(new MemoryFolder());
    await fc.assert(
      fc.asyncProperty(checkpoint, async (each) => {
        const [path, kept] = [await saveOnDisk(await temporaryFolder(), each), await run.save(each, all)];
        const names = (await folder.list(kept.slice('run/'.length))).toSorted();
        expect(names).toEqual(
          ['ema', 'model', 'optimizer', ...(each.averages ? ['averages'] : [])]
            .map((part) => `${part}.safetensors`)
            .concat('state.json')
            .toSorted(),
        );
        for (const name of names)
          expect(Buffer.from((await folder.read(`${kept.slice('run/'.length)}/${name}`))!)).toEqual(
            await readFile(join(path, name)),
          );
        await folder.remove('checkpoints');
      }),
      { numRuns: 30 },
    );
  });

  it('are read back tensor by tensor, and in pieces', async () => {
    const { run } = await newRun(new MemoryFolder());
    const checkpoint = checkpointAt(3);
    await run.save(checkpoint, all);
    const saved = await run.latest();
    expect(saved).toMatchObject({ path: 'run/checkpoints/step-0000003', step: 3, state: checkpoint.state });
    const model = (await saved.open('model'))!;
    const tensor = checkpoint.model.get('layer.weight')!;
    expect(await model.read('layer.weight')).toEqual(tensor);
    expect(await model.read('layer.weight', { start: 2, end: 5 })).toEqual({
      ...tensor,
      data: tensor.data.subarray(2, 5),
      start: 2,
    });
    expect(await saved.open('averages')).toBeUndefined();
  });

  it('stay as long as those of other stores do', async () => {
    const { run } = await newRun(new MemoryFolder());
    const store = new MemoryStore();
    const retention = { keepCheckpoints: 2, keepEvery: 4, keepSteps: [3] };
    for (const step of [1, 2, 3, 4, 5, 6, 9, 7, 8]) {
      const paths = [
        await run.save(checkpointAt(step), retention),
        await store.save(checkpointAt(step), retention),
      ];
      expect(await run.checkpoints()).toEqual(store.checkpoints.map((each) => each.step));
      expect(await run.has(paths[0]!)).toBe(true);
    }
    expect(await run.checkpoints()).toEqual([3, 4, 7, 8, 9]);
    expect(await run.has('run/checkpoints/step-0000002')).toBe(false);
    expect(await run.has('elsewhere')).toBe(false);
  });

  it.each([
    [
      'without state.json',
      'state.json',
      undefined,
      'state.json: is missing: the page was closed while the checkpoint was saved',
    ],
    ['without a part', 'ema.safetensors', undefined, 'ema.safetensors: no such file'],
    ['of a part that is cut', 'model.safetensors', 9, 'model.safetensors: has 9 bytes, '],
    ['of a state.json that is cut', 'state.json', 20, 'state.json: holds no valid JSON'],
    ['of a state.json of nothing', 'state.json', 0, 'state.json: holds no valid JSON'],
  ])('is the one before where the newest is one %s', async (_, file, length, problem) => {
    const { folder, run } = await newRun(new MemoryFolder());
    await run.save(checkpointAt(1), all);
    await run.save(checkpointAt(2), all);
    const path = `checkpoints/step-0000002/${file}`;
    const bytes = (await folder.read(path))!;
    if (length === undefined) await folder.remove(path);
    else await folder.write(path, [bytes.subarray(0, length)]);
    const again = await KeptRun.open(folder);
    const told: string[] = [];
    expect((await again.latest(({ message }) => told.push(message))).step).toBe(1);
    expect(told).toEqual([expect.stringContaining(`run/checkpoints/step-0000002/${problem}`)]);
    await again.save(checkpointAt(2), all);
    told.length = 0;
    expect((await again.latest(({ message }) => told.push(message))).step).toBe(2);
    expect(told).toEqual([]);
  });

  it('is removed by the next save where it was cut, and is in no download', async () => {
    const { folder, run } = await newRun(new MemoryFolder());
    await run.save(checkpointAt(1), all);
    await folder.write('checkpoints/step-0000002/model.safetensors', [new Uint8Array(100)]);
    expect(await run.checkpoints()).toEqual([1]);
    expect((await run.files()).filter((file) => file.includes('step-0000002'))).toEqual([]);
    await run.save(checkpointAt(3), all);
    expect(await folder.list('checkpoints')).toEqual(['step-0000001', 'step-0000003']);
  });

  it('is refused where nothing is left, with what is wrong with each', async () => {
    const { folder, run } = await newRun(new MemoryFolder());
    expect((await failing(run.latest())).message).toBe(
      'run/checkpoints: there is no checkpoint yet. Train until the first one is saved.',
    );
    await run.save(checkpointAt(1), all);
    await folder.write('checkpoints/step-0000001/ema.safetensors', [new Uint8Array(4)]);
    const { message } = await failing(run.latest());
    expect(message).toContain('run/checkpoints: no checkpoint is intact:');
    expect(message).toContain('step-0000001/ema.safetensors: has 4 bytes');
  });

  it('leaves those before it where there is no room, and says how much was wanted', async () => {
    const { folder, run } = await newRun(new SmallFolder());
    await run.save(checkpointAt(1), all);
    for (const left of [0, 100, 700]) {
      folder.left = left;
      const { message, code } = await failing(run.save(checkpointAt(2), all));
      expect(code).toBe('file');
      expect(message).toBe(
        'run/checkpoints/step-0000002: the checkpoint cannot be saved: the browser has no room for 1 kB more of this page; ' +
          'earlier ones, up to step-0000001, are untouched. Download the run, then remove runs that are kept here, or free space on the disk.',
      );
      expect(await folder.list('checkpoints')).toEqual(['step-0000001']);
      expect((await run.latest()).step).toBe(1);
    }
  });
});

describe('a run that is kept without a disk', () => {
  it('is refused where there is one, and leaves nothing where there is no room for its pictures', async () => {
    const { folder } = await newRun(new MemoryFolder());
    const data = pictures();
    const again = KeptRun.create(folder, { config: configOf(data), data, ...here });
    expect((await failing(again)).message).toBe(
      'run: holds a run already. Go on with it, or choose another name.',
    );
    const small = new SmallFolder();
    small.left = 1500;
    const { message } = await failing(KeptRun.create(small, { config: configOf(data), data, ...here }));
    expect(message).toMatch(
      /^run\/config.json: cannot be written: the browser has no room for \d kB more of this page/,
    );
    expect(await small.list('')).toEqual([]);
    expect((await failing(KeptRun.open(small))).message).toContain('is no run: it has no config.json');
  });

  it('ends where somebody removed it, and writes nothing more', async () => {
    const { folder, run } = await newRun(new MemoryFolder());
    const log = await run.log(0);
    await folder.remove('');
    for (const work of [
      run.check(),
      run.mend(),
      run.save(checkpointAt(1), all),
      log.append({ step: 1 } as never),
    ]) {
      const { code, message } = await failing(work);
      expect([code, message]).toEqual([
        'run',
        expect.stringContaining('is gone: it was removed while it trained'),
      ]);
    }
    expect(await folder.list('')).toEqual([]);
  });

  it('trains on where lines find no room, and says so once', { timeout: 60_000 }, async () => {
    const folder = new SmallFolder();
    const { run } = await newRun(folder);
    await trainKept(run, 2);
    folder.left = 0;
    const told: string[] = [];
    const log = await run.log(2, (text) => told.push(text));
    for (const step of [3, 4]) await log.append({ step } as never);
    log.notice(4, 'hello');
    await log.sync();
    expect(told).toEqual([
      expect.stringMatching(/metrics.jsonl: a line cannot be written: the browser has no room/),
    ]);
    folder.left = 1e6;
    await log.append({ step: 5 } as never);
    log.notice(5, 'a\nb');
    await log.close();
    expect((await run.metrics()).map(({ step }) => step)).toEqual([1, 2, 5]);
    expect(new TextDecoder().decode(await folder.read('notices.log'))).toBe('step 5: a\\nb\n');
    await run.log(1);
    expect((await run.metrics()).map(({ step }) => step)).toEqual([1]);
  });

  it('stores averages and bad steps as a run folder does', async () => {
    const { folder, run } = await newRun(new MemoryFolder());
    const averages = inMemory('memory', checkpointAt(70_000).model);
    const disk = await temporaryFolder();
    const path = await storeAverages(disk, 4, 3, averages);
    await run.storeAverages(4, 3, averages);
    await run.storeAverages(9, 8, averages);
    expect(Buffer.from((await folder.read('averages/step-0000004.safetensors'))!)).toEqual(
      await readFile(path),
    );
    await run.dropLaterAverages(4);
    expect(await folder.list('averages')).toEqual(['step-0000004.safetensors']);
    await run.noteBadStep({ step: 3, loss: NaN, gradNorm: Infinity, epoch: 0.5, finding: undefined });
    expect(new TextDecoder().decode(await folder.read('bad-steps.jsonl'))).toBe(
      '{"step":3,"loss":"NaN","gradNorm":"Infinity","epoch":0.5,"finding":null}\n',
    );
  });

  it('is refused under a name that no folder may have', () => {
    const data = pictures();
    for (const name of ['', '../a', 'a/b', '.hidden', 'a\nb'])
      expect(() => configOf(data, {}, name)).toThrow('its name must be letters, digits, dots, dashes');
  });
});
