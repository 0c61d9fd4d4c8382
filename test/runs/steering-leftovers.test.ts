import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { removeRequestLeftovers, steeringFolder, writeRequest } from '../../src/runs/steering-requests.ts';
import { temporaryFolder } from '../support/cli.ts';

it('what was left behind of requests goes, what somebody writes now stays', async () => {
  const run = await temporaryFolder();
  const folder = steeringFolder(run);
  await mkdir(folder);
  const id = await writeRequest(run, 'me', { kind: 'save' });
  for (const name of ['a.taken', 'old.json.tmp-1', 'new.json.tmp-2']) await writeFile(join(folder, name), '');
  const longAgo = new Date(Date.now() - 120_000);
  await utimes(join(folder, 'old.json.tmp-1'), longAgo, longAgo);
  await removeRequestLeftovers(run);
  expect((await readdir(folder)).toSorted()).toEqual([`${id}.json`, 'new.json.tmp-2'].toSorted());
});
