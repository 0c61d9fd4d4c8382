import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatRecord, timeToLapse } from '../../src/runs/lease.ts';
import { type LockRecord, ownPidSpace, processStart } from '../../src/runs/lock-record.ts';
import { type LockOptions, lockRun } from '../../src/runs/lock.ts';

const times = { renew: 50, lapse: 800, look: 20 };
/** As of another host or container. */
const elsewhere = { pid: 999_999_999, host: 'elsewhere', pidSpace: 'another-boot pid:[1]' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const locks = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith('lock-'));

async function lockOf(record: Partial<LockRecord>): Promise<string> {
  const full = {
    pid: process.pid,
    host: hostname(),
    pidSpace: await ownPidSpace(),
    started: null,
    owner: '0a0b0c0d',
    since: '2025-01-01T00:00:00.000Z',
    renewed: '2025-01-01T00:00:00.000Z',
    ...record,
  };
  const path = join(folder, `lock-${full.pid}-0a0b0c0d.json`);
  await writeFile(path, formatRecord(full));
  return path;
}

/** Of who waits, and what is told meanwhile. */
function patient(told: string[] = []): LockOptions {
  return { times, waiting: { onNotice: (text) => told.push(text) } };
}

describe('on this machine', () => {
  test('held by this process, then released', async () => {
    const lock = await lockRun(folder);
    await lock.check();
    await expect(lockRun(folder, patient())).rejects.toThrow(
      `${folder}: is in use by process ${process.pid} on ${hostname()}, since 20`,
    );
    await lock.release();
    await (await lockRun(folder)).release();
    expect(await locks()).toEqual([]);
  });

  test('held by another living process, under any host name; free at once when it has ended', async () => {
    const child = spawn('sleep', ['60']);
    await lockOf({ pid: child.pid!, started: await processStart(child.pid!), host: 'renamed' });
    await expect(lockRun(folder)).rejects.toThrow(`in use by process ${child.pid} on renamed`);
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

  test('a living pid of which nothing says when it started is not taken for dead', async () => {
    await lockOf({ started: null });
    await expect(lockRun(folder)).rejects.toThrow(`in use by process ${process.pid} on ${hostname()}`);
    expect(await locks()).toHaveLength(1);
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
    for (const { value } of held) await value.release();
  });
});

describe('of another host or container', () => {
  test('is refused, saying whose it is and when it lapses', async () => {
    await lockOf(elsewhere);
    await expect(lockRun(folder)).rejects.toThrow(
      /in use by process 999999999 on elsewhere, since 2025-01-01T00:00:00.000Z, and renewed its lock \d s ago\. Wait for it or stop it; its lock .*\.json lapses at \d\d:\d\d:\d\d if it is not renewed\.$/,
    );
    expect(await locks()).toHaveLength(1);
  });

  test.each([
    ['the same host name', { ...elsewhere, host: hostname() }],
    ['the same pid', { pid: process.pid, pidSpace: 'another-boot pid:[1]' }],
    ['a lock of an earlier version', { pidSpace: undefined as unknown as null }],
  ])('with %s it is not taken for dead', async (_, record) => {
    await lockOf(record);
    await expect(lockRun(folder)).rejects.toThrow(/lapses at .* if it is not renewed/);
  });

  test('is waited for, and taken when nobody has renewed it', async () => {
    const told: string[] = [];
    await lockOf(elsewhere);
    const began = performance.now();
    const lock = await lockRun(folder, patient(told));
    expect(performance.now() - began).toBeGreaterThan(700);
    expect(await locks()).toHaveLength(1);
    await lock.check();
    await lock.release();
    expect(told).toEqual([
      expect.stringMatching(
        /is held by process 999999999 on elsewhere, whose lock was renewed \d s ago\. .* waits until \d\d:\d\d:\d\d, and goes on if the lock is not renewed by then\. .* delete .*\.json and start again\.$/,
      ),
    ]);
  });

  test('is refused as soon as it is renewed, also by a clock that is wrong', async () => {
    const path = await lockOf(elsewhere);
    const text = await readFile(path, 'utf8');
    const renewing = sleep(200).then(async () => {
      await writeFile(path, text.replace('"renewed":"2025', '"renewed":"1999'));
      await utimes(path, 1, 1);
    });
    const began = performance.now();
    await expect(lockRun(folder, patient())).rejects.toThrow(/in use by process 999999999 on elsewhere/);
    expect(performance.now() - began).toBeLessThan(700);
    await renewing;
    expect(await locks()).toHaveLength(1);
  });

  test('that is unreadable is refused, or waited for', async () => {
    const path = await lockOf({});
    await writeFile(path, '');
    await expect(lockRun(folder)).rejects.toThrow(/is unreadable. Delete it if no run is active/);
    const told: string[] = [];
    await (await lockRun(folder, patient(told))).release();
    expect(told[0]).toContain(`a process whose lock ${path} is unreadable`);
  });

  test('is given up when the wait is stopped', async () => {
    await lockOf(elsewhere);
    const stop = new AbortController();
    const waiting = { signal: stop.signal, onNotice: () => stop.abort() };
    await expect(lockRun(folder, { times, waiting })).rejects.toThrow(/The wait for it was stopped/);
  });

  test('lapses by its age, but never unobserved', () => {
    expect(timeToLapse(0, times)).toBe(800);
    expect(timeToLapse(500, times)).toBe(300);
    expect(timeToLapse(1e9, times)).toBe(100);
    expect(timeToLapse(-1e9, times)).toBe(800);
  });
});

describe('who holds it', () => {
  test('renews it, also while this thread is busy', async () => {
    const lock = await lockRun(folder, { times });
    const path = join(folder, (await locks())[0]!);
    await sleep(300);
    const before = readFileSync(path, 'utf8');
    const end = performance.now() + 300;
    while (performance.now() < end);
    const after = readFileSync(path, 'utf8');
    expect(after).not.toBe(before);
    expect({ ...JSON.parse(after), renewed: '' }).toEqual({ ...JSON.parse(before), renewed: '' });
    await lock.release();
  });

  test('learns that it was lost, and does not bring it back', async () => {
    const lock = await lockRun(folder, { times });
    const path = join(folder, (await locks())[0]!);
    await rename(path, `${path}.away`);
    await sleep(150);
    await expect(lock.check()).rejects.toThrow(/the lock of this process was deleted/);
    expect(await locks()).toHaveLength(1);
    writeFileSync(join(folder, 'lock-5-0a.json'), JSON.stringify({ pid: 5, host: 'ada' }));
    await expect(lock.check()).rejects.toThrow(/is gone, and process 5 on ada holds the folder now/);
    await rm(folder, { recursive: true });
    await expect(lock.check()).rejects.toThrow(/the run folder is gone: it was deleted or renamed/);
    await lock.release();
  });

  test('ends without an error where its lock cannot be removed', async () => {
    const lock = await lockRun(folder, { times });
    const path = join(folder, (await locks())[0]!);
    await rm(path);
    await mkdir(path);
    await lock.release();
    expect(await locks()).toHaveLength(1);
  });
});
