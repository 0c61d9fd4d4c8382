// What docs/distributed.md says, done in little.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ranksLostExitCode } from '../../src/distributed/exit-code.ts';
import { rectiflow, start, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands } from '../support/docs.ts';
import { installed } from '../support/mpi.ts';
import { checkpointDigests } from '../support/tiny-run.ts';

const page = await readFile(fileURLToPath(new URL('../../docs/distributed.md', import.meta.url)), 'utf8');
const commands = docsCommands(page);
/** Of a few steps, to be compared; and the others. */
const [compared, others] = [true, false].map((isOf) =>
  commands.filter((args) => args.includes('--steps') === isOf),
) as [string[][], string[][]];
const isThere = installed.some(({ skipped }) => skipped === '');
const without = isThere ? '' : ' (skipped: no MPI is installed that rectiflow was built with)';

/** Of the recipe, as small as can be. */
const small = [
  'model={width: 16, depth: 1, heads: 2, patchSize: 4}',
  'train.batchSize=16',
  'train.steps=2',
  'sample.labels=[0, 1]',
  'sample.steps=1',
  'backend.threads=1',
].flatMap((setting) => ['--set', setting]);

describe.skipIf(!isThere)(`the commands of docs/distributed.md${without}`, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });

  it('are of every kind', () => {
    expect(commands.filter(([name]) => name === 'train')).toHaveLength(4);
    expect(commands.filter(([name]) => name === 'resume')).toHaveLength(2);
  });

  it.each(others.map((args) => [args.join(' '), args] as const))('%s', async (_, args) => {
    const { code, stdout, stderr } = await rectiflow(folder, [
      ...args,
      ...(args[0] === 'train' ? small : []),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(args[0] === 'train' ? /^Trained 2 steps in /m : /^All 2 steps were done before/m);
  });
});

it.skipIf(!isThere)(`one rank and four make the same there${without}`, async () => {
  const folder = await temporaryFolder();
  for (const args of compared) {
    const command = args.map((arg, i) => (args[i - 1] === '--steps' ? '2' : arg));
    expect(await rectiflow(folder, [...command, ...small])).toMatchObject({ code: 0 });
  }
  const [one, four] = await Promise.all(
    ['ranks-1', 'ranks-4'].map((name) => checkpointDigests(join(folder, 'runs', name), 2)),
  );
  expect(four).toEqual(one);
});

describe('docs/distributed.md', () => {
  it('has the options of ranks, all of them', async () => {
    const { stdout } = await rectiflow(await temporaryFolder(), ['resume', '--help']);
    const options = Array.from(stdout.matchAll(/^ {2}(--[a-z-]+) <.*(?:with --ranks|so many processes)/gm));
    expect(options.map(([, name]) => name)).toHaveLength(5);
    for (const [, name] of options) expect(page).toContain(`\n| \`${name}\` |`);
  });

  it('has the exit code of lost ranks', () => {
    expect(page).toContain(`the network | ${ranksLostExitCode} |`);
  });

  it('has files that can be read', async () => {
    const [job] = docsBlocks(page, 'yaml');
    expect(parse(job!)).toMatchObject({
      kind: 'MPIJob',
      spec: { mpiReplicaSpecs: { Worker: { replicas: 4 } } },
    });
    for (const script of docsBlocks(page, 'bash')) {
      const file = join(await temporaryFolder(), 'script.sh');
      await writeFile(file, script);
      expect(await start('.', 'bash', ['-n', file]).finished).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
