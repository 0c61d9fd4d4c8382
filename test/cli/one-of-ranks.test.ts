// Commands that one process does, where a launcher has started several.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { dist, temporaryFolder } from '../support/cli.ts';

const run = promisify(execFile);

it.each([
  ['0', 'DiT', 'note: one process does "info": of the 4 that Open MPI'],
  ['3', '', ''],
])('rank %s of 4 prints what it is to', async (rank, printed, told) => {
  const environment = { ...process.env, OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: rank };
  const args = [join(dist, 'cli/main.js'), 'info', 'DiT-Ti/8', '--image-size', '32'];
  const options = { cwd: await temporaryFolder(), env: environment };
  const { stdout, stderr } = await run(process.execPath, args, options);
  expect(stdout.startsWith(printed)).toBe(true);
  expect(stdout === '').toBe(printed === '');
  expect(stderr.startsWith(told)).toBe(true);
  expect(stderr === '').toBe(told === '');
});
