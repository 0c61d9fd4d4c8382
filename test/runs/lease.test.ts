import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { outlast } from '../../src/runs/lease.ts';
import { seeLock } from '../../src/runs/lock-record.ts';
import { temporaryFolder } from '../support/cli.ts';

const HOUR = 3_600_000;

it('a lock that is gone, or has another text at the same time, is not waited for', async () => {
  const path = join(await temporaryFolder(), 'lock.json');
  await writeFile(path, 'renewed at 1');
  await utimes(path, 1, 1);
  const seen = await seeLock(path);
  expect(await outlast(seen!, 30, 10, undefined)).toBe('lapsed');
  await writeFile(path, 'renewed at 2');
  // By a file system whose clock stands still.
  await utimes(path, 1, 1);
  expect(await outlast(seen!, HOUR, 10, undefined)).toBe('renewed');
  await rm(path);
  expect(await outlast(seen!, HOUR, 10, undefined)).toBe('gone');
}, 10_000);
