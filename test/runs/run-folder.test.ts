import { mkdir, mkdtemp, open, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listCheckpoints } from '../../src/runs/checkpoint.ts';
import { MetricsLog, readMetrics } from '../../src/runs/metrics-log.ts';
import type { Pace } from '../../src/tensor/pace.ts';
import { RunFolder, readRun } from '../../src/runs/run-folder.ts';
import { checkpointAt } from './fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const locks = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith('lock-'));

describe('metrics.jsonl', () => {
  const noFailure = (problem: Error): void => {
    throw problem;
  };

  const write = async (text: string): Promise<string> => {
    const path = join(folder, 'metrics.jsonl');
    await writeFile(path, text);
    return path;
  };

  test('records come back, infinities and NaN by name', async () => {
    const path = join(folder, 'metrics.jsonl');
    const log = await MetricsLog.open(path, 0, noFailure);
    await log.append({ step: 1, loss: 2.5, note: 'a\nb' });
    await log.append({ step: 2, loss: NaN, norm: Infinity });
    await log.sync();
    const records = [
      { step: 1, loss: 2.5, note: 'a\nb' },
      { step: 2, loss: 'NaN', norm: 'Infinity' },
    ];
    expect(await readMetrics(path)).toEqual({ records, damaged: 0 });
  });

  test('cut at any byte: read to the last whole record, and appended to without a scar', async () => {
    const text = '{"step":1,"loss":"é"}\n{"step":2}\n{"step":3,"loss":0.5}\n';
    const bytes = Buffer.from(text);
    for (let length = 0; length <= bytes.length; length++) {
      const path = await write('');
      await writeFile(path, bytes.subarray(0, length));
      const whole = bytes.subarray(0, length).toString().split('\n').length - 1;
      expect((await readMetrics(path)).records).toHaveLength(whole);
      const log = await MetricsLog.open(path, 10, noFailure);
      await log.append({ step: 4 });
      expect((await readMetrics(path)).records.map(({ step }) => step)).toEqual([
        ...[1, 2, 3].slice(0, whole),
        4,
      ]);
    }
  });

  test('lines past the resumed step are dropped', async () => {
    const path = await write('{"step":10}\n{"step":20}\n{"step":30}\n{"st');
    const log = await MetricsLog.open(path, 20, noFailure);
    await log.append({ step: 21 });
    expect(await readFile(path, 'utf8')).toBe('{"step":10}\n{"step":20}\n{"step":21}\n');
    await MetricsLog.open(path, 0, noFailure);
    expect(await readFile(path, 'utf8')).toBe('');
  });

  test('a line that cannot be written is told once and leaves no trace; the next is tried again', async () => {
    const path = await write('');
    const problems: string[] = [];
    const log = await MetricsLog.open(path, 0, ({ message }) => problems.push(message));
    await log.append({ step: 1 });
    const file = await open(path);
    const real = Object.getPrototypeOf(file) as typeof file;
    const fails = vi.spyOn(real, 'write').mockImplementation(async () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    });
    for (const step of [2, 3]) await log.append({ step });
    fails.mockRestore();
    await log.append({ step: 4 });
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('{"step":1}\n{"step":4}\n');
    expect(problems).toEqual([
      `${path}: a line cannot be written: no space left on the disk. ` +
        'Training goes on, and lines will be missing until the disk takes them again.',
    ]);
  });

  test('one that is deleted begins anew and is told each time; one that was cut gets no hole', async () => {
    const path = await write('');
    const problems: string[] = [];
    const log = await MetricsLog.open(path, 0, ({ message }) => problems.push(message));
    await log.append({ step: 1 });
    await rm(path);
    await log.append({ step: 2 });
    await rename(path, `${path}.old`);
    for (const step of [3, 4]) await log.append({ step });
    expect(await readFile(path, 'utf8')).toBe('{"step":3}\n{"step":4}\n');
    const told = `${path}: was deleted. Training goes on with a new one, without the lines before.`;
    expect(problems).toEqual([told, told]);
    await truncate(path, 11);
    await log.append({ step: 5 });
    expect(await readFile(path, 'utf8')).toBe('{"step":3}\n{"step":5}\n');
  });

  test('lines that are no records are counted', async () => {
    const path = await write('{"step":1}\nnull\n{"loss":2}\n{"step":3}\n');
    expect(await readMetrics(path)).toEqual({ records: [{ step: 1 }, { step: 3 }], damaged: 2 });
    await expect(readMetrics(join(folder, 'none'))).rejects.toThrow(/none: no such file/);
  });
});

describe('run folder', () => {
  const config = { seed: 3, name: 'x' };

  test('a folder that was there before stays, with what is in it, where no run can be made in it', async () => {
    await writeFile(join(folder, 'samples'), 'mine');
    await expect(RunFolder.create(folder, config)).rejects.toThrow(folder);
    expect(await readdir(folder)).toEqual(['samples']);
  });

  test('create, save, close, open again', async () => {
    const path = join(folder, 'runs', 'digits');
    const run = await RunFolder.create(path, config);
    for (const step of [1, 2, 3]) await run.save(checkpointAt(step), { keepCheckpoints: 2, keepEvery: 0 });
    expect(await listCheckpoints(run.checkpoints)).toEqual([2, 3]);
    expect(run.samplePath(7)).toBe(join(path, 'samples', 'step-0000007.png'));
    await expect(RunFolder.open(path)).rejects.toThrow(/in use by process/);
    await run.close();
    await writeFile(join(path, 'config.json.tmp-123'), '{');
    await mkdir(join(path, 'checkpoints', '.saving-step-0000004'));
    const again = await RunFolder.open(path);
    expect(again.record).toEqual(await readRun(path));
    expect(again.record.config).toEqual(config);
    expect((await again.latest()).step).toBe(3);
    expect((await readdir(path)).filter((name) => !name.startsWith('lock-')).toSorted()).toEqual([
      'checkpoints',
      'config.json',
      'samples',
    ]);
    expect((await readdir(again.checkpoints)).toSorted()).toEqual(['step-0000002', 'step-0000003']);
    await again.close();
  });

  test('a folder that holds a run is not overwritten, and not left locked', async () => {
    await (await RunFolder.create(folder, config)).close();
    await expect(RunFolder.create(folder, config)).rejects.toThrow(
      /holds a run already. Go on with it \(rectiflow resume/,
    );
    expect(await locks()).toEqual([]);
  });

  test('one that is deleted, renamed or replaced is not written to, and does not come to life again', async () => {
    const path = join(folder, 'run');
    const retention = { keepCheckpoints: 2, keepEvery: 0 };
    const refused = async (run: RunFolder, message: RegExp): Promise<void> => {
      for (const write of [
        () => run.check(),
        () => run.save(checkpointAt(2), retention),
        () => run.mend(() => {}),
        () => run.noteBadStep({ step: 2, loss: NaN, gradNorm: NaN, epoch: 0, finding: undefined }),
      ])
        await expect(write()).rejects.toThrow(message);
      run.note(2, 'not to be written');
      await run.close();
    };
    const run = await RunFolder.create(path, config);
    await run.save(checkpointAt(1), retention);
    await rename(path, join(folder, 'renamed'));
    await refused(run, /run: the run folder is gone: it was deleted or renamed/);
    expect((await readdir(folder)).toSorted()).toEqual(['renamed']);

    const second = await RunFolder.create(path, config);
    await rm(path, { recursive: true });
    const third = await RunFolder.create(path, config);
    const before = await readdir(path, { recursive: true });
    await refused(second, new RegExp(`gone, and process ${process.pid} on .* holds the folder now`));
    expect(await readdir(path, { recursive: true })).toEqual(before);
    await third.close();
  });

  test('a save that the run was lost under ends without a trace', async () => {
    const path = join(folder, 'run');
    const run = await RunFolder.create(path, config);
    const pace = { rest: () => rm(path, { recursive: true, force: true }) } as unknown as Pace;
    const saving = run.save(checkpointAt(1), { keepCheckpoints: 2, keepEvery: 0 }, pace);
    await expect(saving).rejects.toThrow(/the run folder is gone/);
    expect(await readdir(folder)).toEqual([]);
    await run.close();
  });

  test('folders in it that were deleted are made anew', async () => {
    const run = await RunFolder.create(folder, config);
    const told: string[] = [];
    const onNotice = (text: string): number => told.push(text);
    await run.mend(onNotice);
    expect(told).toEqual([]);
    const lost = [join(folder, 'samples'), run.checkpoints];
    for (const each of lost) await rm(each, { recursive: true });
    await run.mend(onNotice);
    expect(told).toEqual(lost.map((each) => `${each} was deleted: it is made anew, without what was in it.`));
    await run.save(checkpointAt(1), { keepCheckpoints: 2, keepEvery: 0 });
    await run.close();
  });

  test('what is no run says so, with a guess', async () => {
    await (await RunFolder.create(join(folder, 'digits'), config)).close();
    await expect(readRun(join(folder, 'digit'))).rejects.toThrow(
      /digit: is no run: there is no such folder.*mean "digits"\?$/,
    );
    await expect(RunFolder.open(folder)).rejects.toThrow(
      /is no run, but holds some\. Give one of them: .*digits\.$/,
    );
  });

  test.each([
    ['{"version": "1", "config"', /config.json: holds no valid JSON/],
    ['[]', /JSON that is not an object/],
    ['{"version": "1"}', /lacks "version" or "config"/],
  ])('a damaged config.json: %s', async (text, message) => {
    await writeFile(join(folder, 'config.json'), text);
    await expect(RunFolder.open(folder)).rejects.toThrow(message);
  });

  test('a path that cannot be a folder', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(RunFolder.create(join(folder, 'file', 'run'), config)).rejects.toThrow(
      /part of the path is a file/,
    );
  });
});
