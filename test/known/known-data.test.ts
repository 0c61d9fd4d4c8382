import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { saveCheckpoint } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { knownToRun } from '../../src/known/known-data.ts';
import { checkpointAt } from '../runs/fixtures.ts';
import { temporaryFolder } from '../support/cli.ts';

it('takes the newest checkpoint of a run whose state can be read', async () => {
  const run = await temporaryFolder();
  expect(await knownToRun(run)).toBeUndefined();
  const paths: string[] = [];
  for (const step of [1, 2, 3]) paths.push(await saveCheckpoint(checkpointFolder(run), checkpointAt(step)));
  expect(await knownToRun(run)).toMatchObject({ path: paths[2], step: 3 });
  await rm(join(paths[2]!, 'state.json'));
  expect(await knownToRun(run)).toMatchObject({ path: paths[1], step: 2 });
});
