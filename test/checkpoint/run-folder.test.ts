import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listCheckpoints } from '../../src/checkpoint/checkpoint.ts';
import { lockRun, processStart } from '../../src/checkpoint/lock.ts';
import type { LockRecord } from '../../src/checkpoint/lock.ts';
import { MetricsLog, readMetrics } from '../../src/checkpoint/metrics-log.ts';
import { RunFolder, readRun } from '../../src/checkpoint/run-folder.ts';
import { checkpointAt } from './fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const locks = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith('lock-'));

describe('lock', () => {
  async function lockOf(record: Partial<LockRecord>): Promise<string> {
    const full = {
      pid: process.pid,
      host: hostname(),
      started: null,
      since: '2025-01-01T00:00:00Z',
      ...record,
    };
    const path = join(folder, `lock-${full.pid}-0a0b0c0d.json`);
    await writeFile(path, JSON.stringify(full));
    return path;
  }

  test('held by this process, then released', async () => {
    const lock = await lockRun(folder);
    await expect(lockRun(folder)).rejects.toThrow(
      `${folder}: is in use by process ${process.pid} on ${hostname()}`,
    );
    await lock.release();
    await (await lockRun(folder)).release();
    expect(await locks()).toEqual([]);
  });

  test('held by another living process', async () => {
    const child = spawn('sleep', ['60']);
    await lockOf({ pid: child.pid!, started: await processStart(child.pid!) });
    await expect(lockRun(folder)).rejects.toThrow(`in use by process ${child.pid}`);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await (await lockRun(folder)).release();
    expect(await locks()).toEqual([]);
  });

  test.runIf(process.platform === 'linux')('a pid that another process has got since is stale', async () => {
    await lockOf({ started: 'another-boot 1' });
    await (await lockRun(folder)).release();
    expect(await locks()).toEqual([]);
  });

  test('another host counts as living, and the error says what to delete', async () => {
    const path = await lockOf({ pid: 999_999_999, host: 'elsewhere' });
    await expect(lockRun(folder)).rejects.toThrow(
      `on elsewhere, since 2025-01-01T00:00:00Z. Wait for it or stop it, or delete ${path}`,
    );
  });

  test('an unreadable lock is not ignored', async () => {
    const path = await lockOf({});
    await writeFile(path, '');
    await expect(lockRun(folder)).rejects.toThrow(/is unreadable. Delete it if no run is active/);
  });

  test('an unfinished lock is cleared once it is old', async () => {
    const [old, young] = ['lock-1-0a.json.tmp', 'lock-1-0b.json.tmp'];
    for (const name of [old, young]) await writeFile(join(folder, name), '');
    await utimes(join(folder, old), 0, 0);
    await (await lockRun(folder)).release();
    expect(await locks()).toEqual([young]);
  });

  test('of many that start together no two get it, and all that fail leave nothing behind', async () => {
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => lockRun(folder)));
    const held = results.filter((result) => result.status === 'fulfilled');
    expect(held.length).toBeLessThanOrEqual(1);
    expect(await locks()).toHaveLength(held.length);
  });
});

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
    await log.close();
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
      await log.close();
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
    await log.close();
    expect(await readFile(path, 'utf8')).toBe('{"step":10}\n{"step":20}\n{"step":21}\n');
    await (await MetricsLog.open(path, 0, noFailure)).close();
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
    await Promise.all([log.close(), file.close()]);
    expect(await readFile(path, 'utf8')).toBe('{"step":1}\n{"step":4}\n');
    expect(problems).toEqual([
      `${path}: a line cannot be written: no space left on the disk. ` +
        'Training goes on, and lines will be missing until the disk takes them again.',
    ]);
  });

  test('lines that are no records are counted', async () => {
    const path = await write('{"step":1}\nnull\n{"loss":2}\n{"step":3}\n');
    expect(await readMetrics(path)).toEqual({ records: [{ step: 1 }, { step: 3 }], damaged: 2 });
    await expect(readMetrics(join(folder, 'none'))).rejects.toThrow(/none: no such file/);
  });
});

describe('run folder', () => {
  const config = { seed: 3, name: 'x' };

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

  test('what is no run says so, with a guess', async () => {
    await (await RunFolder.create(join(folder, 'digits'), config)).close();
    await expect(readRun(join(folder, 'digit'))).rejects.toThrow(
      /digit: is no run: it has no config.json.*mean "digits"\?$/,
    );
    await expect(RunFolder.open(folder)).rejects.toThrow(/is no run/);
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
