// Runs that are stopped in every way a process can be, with real processes.
import { readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { testBackends } from '../support/backends.ts';
import { dist, rectiflow, startNode, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, tinyDigits } from '../support/tiny-run.ts';

const run = join('runs', 'tiny');
const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
/** The reference computes on the thread that would have to hear Ctrl-C. */
const unbuilt = skip && ` (skipped: ${skip})`;

/** A folder with a config file for the command line. */
async function workFolder(train: object = {}): Promise<string> {
  const folder = await temporaryFolder();
  const config = { ...tinyDigits, train: { ...tinyDigits.train, ...train } };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  return folder;
}

/** A program that trains and kills itself, without a chance to clean up, as soon as a checkpoint is on the disk. */
function killedAfter(checkpoint: number): string {
  return `
    import { loadConfig, train } from ${JSON.stringify(pathToFileURL(join(dist, 'index.js')))};
    await train((await loadConfig('tiny.json')).config, {
      onCheckpoint: (step) => { if (step === ${checkpoint}) process.kill(process.pid, 'SIGKILL'); },
    });`;
}

describe('resume', () => {
  it('after kill -9 ends with the same bytes as a run that was never stopped', async () => {
    const whole = await workFolder();
    expect(await rectiflow(whole, ['train', 'tiny.json'])).toMatchObject({ code: 0, stderr: '' });

    const killed = await workFolder();
    // The steps that were done while the checkpoint was written are lost.
    const { code } = await startNode(killed, ['--input-type=module', '-e', killedAfter(30)]).finished;
    expect(code).toBe(null);
    expect(await readdir(join(killed, run, 'checkpoints'))).toEqual(['step-0000030']);
    const { stdout, stderr } = await rectiflow(killed, ['resume', run]);
    expect(stderr).toBe('');
    expect(stdout).toContain('run      runs/tiny, from step 30\n');

    const [expected, got] = await Promise.all(
      [whole, killed].map((at) => checkpointBytes(join(at, run), 60)),
    );
    expect(got).toEqual(expected);
    const logs = await Promise.all([whole, killed].map((at) => readMetrics(join(at, run, 'metrics.jsonl'))));
    const [wanted, found] = logs.map(({ records }) => records.map(({ step, loss }) => [step, loss]));
    expect(found).toEqual(wanted);
  });

  it('goes on after Ctrl-C, which saves and says how', async () => {
    const folder = await workFolder({ steps: 1_000_000 });
    const training = startRectiflow(folder, ['train', 'tiny.json']);
    await training.saw(/^step 1\//m);
    training.process.kill('SIGINT');
    const { code, stdout, stderr } = await training.finished;
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(stdout).toMatch(/^Finishing the step and saving\. Press Ctrl-C again to leave at once\.$/m);
    const [, step] =
      /^Stopped after (\d+) steps?, saved runs\/tiny\/checkpoints\/step-\d+\.$/m.exec(stdout) ?? [];
    expect(stdout).toContain('Go on with:  npx rectiflow resume runs/tiny\n');

    const resumed = startRectiflow(folder, ['resume', 'tiny']);
    await resumed.saw(new RegExp(`^run      runs/tiny, from step ${step}$`, 'm'));
    await resumed.saw(/^step /m);
    resumed.process.kill('SIGTERM');
    expect(await resumed.finished).toMatchObject({ code: 143, stderr: '' });
  });

  it.skipIf(unbuilt)(
    `goes on after a second Ctrl-C, which leaves in the middle of a step${unbuilt ?? ''}`,
    async () => {
      const folder = await workFolder();
      // A step of about a second.
      const large = [
        '--set',
        'model={width: 256, depth: 2, heads: 4, patchSize: 2}',
        '--set',
        'train.batchSize=24',
      ];
      const training = startRectiflow(folder, ['train', 'tiny.json', ...large]);
      await training.saw(/^backend /m);
      training.process.kill('SIGINT');
      await training.saw(/^Finishing the step/m);
      training.process.kill('SIGINT');
      const { code, stdout, stderr } = await training.finished;
      expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
      expect(stdout).not.toMatch(/^Stopped after/m);
      expect(await readdir(join(folder, run, 'checkpoints'))).toEqual([]);

      const resumed = startRectiflow(folder, ['resume', run]);
      await resumed.saw(/^note: .*no checkpoint was saved yet[^]*^step 1\//m);
    },
  );

  it('passes over damaged checkpoints and names what is wrong with them', async () => {
    const folder = await workFolder({ checkpointEvery: 20 });
    await rectiflow(folder, ['train', 'tiny.json']);
    const expected = await checkpointBytes(join(folder, run), 60);
    const part = (step: string, name: string): string =>
      join(folder, run, 'checkpoints', `step-00000${step}`, name);
    await flipBit(part('60', 'ema.safetensors'), 2000);
    await truncate(part('40', 'optimizer.safetensors'), 5000);

    const { code, stdout } = await rectiflow(folder, ['resume', run]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^note: .*step-0000060.ema\.safetensors: has SHA-256 \w+, \w+ was written\./m);
    expect(stdout).toMatch(
      /^note: .*step-0000040.optimizer\.safetensors: has 5000 bytes, \d+ were written\./m,
    );
    expect(stdout).toContain('run      runs/tiny, from step 20\n');
    expect(await checkpointBytes(join(folder, run), 60)).toEqual(expected);
  });

  it('ends with an error that lists everything where no checkpoint is intact', async () => {
    const folder = await workFolder();
    await rectiflow(folder, ['train', 'tiny.json', '--steps', '2']);
    await flipBit(join(folder, run, 'checkpoints', 'step-0000002', 'state.json'), 30);
    const { code, stdout, stderr } = await rectiflow(folder, ['resume', run]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: .*no checkpoint is intact:\n.*state\.json/m);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('is not needed because the reader of the output has gone', async () => {
    const folder = await workFolder();
    const training = startRectiflow(folder, ['train', 'tiny.json']);
    training.process.stdout!.destroy();
    expect((await training.finished).code).toBe(0);
    expect(await readdir(join(folder, run, 'checkpoints'))).toContain('step-0000060');
  });

  it('is refused while another process works on the run', async () => {
    const folder = await workFolder({ steps: 1_000_000 });
    const training = startRectiflow(folder, ['train', 'tiny.json']);
    await training.saw(/^step 1\//m);
    const { code, stderr } = await rectiflow(folder, ['resume', run]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^error: runs/tiny: is in use by process ${training.process.pid} on `));
    training.process.kill('SIGINT');
    await training.finished;
  });
});

async function flipBit(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at]! ^= 1;
  await writeFile(file, bytes);
}
