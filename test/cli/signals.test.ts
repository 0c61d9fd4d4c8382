// What a run does when it is told to stop, with real processes.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { listCheckpoints } from '../../src/checkpoint/checkpoint.ts';
import { testBackends } from '../support/backends.ts';
import { startRectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
const unbuilt = skip && ` (skipped: ${skip})`;

async function workFolder(train: object): Promise<string> {
  const folder = await temporaryFolder();
  const config = { ...tinyDigits, train: { ...tinyDigits.train, steps: 1_000_000, ...train } };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  return folder;
}

const large = [
  '--set',
  'model={width: 256, depth: 2, heads: 4, patchSize: 2}',
  '--set',
  'train.batchSize=24',
];

describe('a run is saved and ends with a code of its own', () => {
  it.each([
    ['SIGUSR1', 85],
    ['SIGHUP', 129],
  ] as const)('after %s: %i', async (signal, wanted) => {
    const folder = await workFolder({ checkpointEvery: 0 });
    const training = startRectiflow(folder, ['train', 'tiny.json']);
    await training.saw(/^step 1\//m);
    training.process.kill(signal);
    const { code, stdout, stderr } = await training.finished;
    // Without a handler of ours, SIGUSR1 would start Node's debugger, which says so on standard error.
    expect({ code, stderr }).toEqual({ code: wanted, stderr: '' });
    expect(stdout).toMatch(/^Stopped after \d+ steps?, saved runs\/tiny\/checkpoints\/step-\d+\.$/m);
  });
});

describe.skipIf(unbuilt)(`while a long step is finished${unbuilt ?? ''}`, () => {
  it('other signals are no second Ctrl-C: schedulers and terminals send several', async () => {
    const folder = await workFolder({ checkpointEvery: 0 });
    const training = startRectiflow(folder, ['train', 'tiny.json', ...large]);
    await training.saw(/^step 1\//m);
    training.process.kill('SIGUSR1');
    await training.saw(/^Finishing the step/m);
    training.process.kill('SIGTERM');
    training.process.kill('SIGHUP');
    const { code, stdout } = await training.finished;
    expect(code).toBe(85);
    expect(stdout).toMatch(/^Stopped after/m);
  });

  it('a second Ctrl-C in the middle of a save leaves at once, and the checkpoint before is taken', async () => {
    const folder = await workFolder({ checkpointEvery: 1, keepCheckpoints: 9 });
    const checkpoints = join(folder, 'runs', 'tiny', 'checkpoints');
    const training = startRectiflow(folder, ['train', 'tiny.json', ...large]);
    await training.saw(/^backend /m);
    const isSavingSecond = async (): Promise<boolean> =>
      (await listCheckpoints(checkpoints)).length > 0 &&
      (await readdir(checkpoints)).some((name) => name.startsWith('.saving'));
    await vi.waitUntil(isSavingSecond, { timeout: 20_000, interval: 5 });
    training.process.kill('SIGINT');
    await training.saw(/^Finishing the step/m);
    training.process.kill('SIGINT');
    const { code, stdout, stderr } = await training.finished;
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(stdout).not.toMatch(/^Stopped after/m);
    expect(stdout).toMatch(/^Left at once\. .* npx rectiflow resume runs\/tiny$/m);

    const last = (await listCheckpoints(checkpoints)).at(-1)!;
    const again = startRectiflow(folder, ['resume', 'tiny']);
    await again.saw(new RegExp(`^run      runs/tiny, from step ${last}$`, 'm'));
    again.process.kill('SIGINT');
    expect((await again.finished).stdout).not.toContain('note:');
    expect((await readdir(checkpoints)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
