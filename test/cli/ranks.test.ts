// --ranks with the real command line, and the launchers that are installed.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rectiflow, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { installed } from '../support/mpi.ts';
import { tinyDigits } from '../support/tiny-run.ts';

async function workFolder(steps: number): Promise<string> {
  const folder = await temporaryFolder();
  const train = { ...tinyDigits.train, steps, shards: 8, checkpointEvery: 10 };
  await writeFile(
    join(folder, 'tiny.json'),
    JSON.stringify({ ...tinyDigits, train, optimizer: { warmupSteps: 1 } }),
  );
  return folder;
}

describe('what does not fit --ranks is refused', () => {
  it.each([
    [
      ['--restarts', '2'],
      'error: --restarts: is for ranks that this command starts. Say how many, with --ranks.',
    ],
    [
      ['--mpi-args', 'x'],
      'error: --mpi-args: is for ranks that this command starts. Say how many, with --ranks.',
    ],
    [
      ['--ranks', '2', '--hosts', 'a', '--hostfile', 'b'],
      'error: --hosts and --hostfile: both name the machines. Leave one of them out.',
    ],
    [
      ['--ranks', '2', '--hosts', 'a,,b'],
      'error: --hosts: must be names of machines with commas between them',
    ],
    [['--ranks', '2', '--hostfile', 'none'], 'error: none: no such file or folder. Give --hostfile a file'],
    [
      ['--ranks', 'two'],
      "error: option '--ranks <number>' argument 'two' is invalid. It must be a whole number from 1",
    ],
  ])('%j', async (args, message) => {
    const { code, stderr } = await rectiflow(await workFolder(1), ['train', 'tiny.json', ...args]);
    expect(code).toBe(1);
    expect(stderr.slice(0, message.length)).toBe(message);
  });
});

for (const { kind, skipped } of installed)
  describe.skipIf(skipped)(`--ranks with ${kind}${skipped}`, () => {
    it('a run is stopped as that of one process is, and goes on', async () => {
      const folder = await workFolder(1_000_000);
      const training = startRectiflow(folder, ['train', 'tiny.json', '--ranks', '2'], {
        RECTIFLOW_MPI: kind,
      });
      await training.saw(/^step 1\//m);
      training.process.kill('SIGTERM');
      const { code, stdout, stderr } = await training.finished;
      expect({ code, stderr }).toEqual({ code: 143, stderr: '' });
      expect(stdout).toMatch(/^Finishing the step and saving\. Press Ctrl-C again to leave at once\.$/m);
      const [, step] = /^Stopped after (\d+) steps?, saved runs\/tiny\/checkpoints\/step-\d+\.$/m.exec(
        stdout,
      )!;
      expect(stdout).toMatch(/^Go on with: {2}npx rectiflow resume runs\/tiny --ranks 2$/m);

      const file = join(folder, 'runs/tiny/config.json');
      const record = await readFile(file, 'utf8');
      await writeFile(file, record.replace(/"steps": 1000000/, `"steps": ${Number(step) + 2}`));
      const resumed = await rectiflow(folder, ['resume', 'tiny', '--ranks', '2']);
      expect({ code: resumed.code, stderr: resumed.stderr }).toEqual({ code: 0, stderr: '' });
      expect(resumed.stdout).toMatch(/^Trained \d+ steps in /m);
    });

    it('an error that all ranks have is told once', async () => {
      const args = ['train', 'tiny.json', '--ranks', '2', '--restarts', '3', '--set', 'train.shards=1'];
      const { code, stdout, stderr } = await startRectiflow(await workFolder(2), args, {
        RECTIFLOW_MPI: kind,
      }).finished;
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(
        /^error: train\.shards: wanted at least as many as there are ranks, 2, found 1\. [^\n]*\n$/,
      );
    });
  });
