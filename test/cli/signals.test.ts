// What a run does when it is told to stop, with real processes.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { listCheckpoints } from '../../src/runs/checkpoint.ts';
import { testBackends } from '../support/backends.ts';
import { dist, startNode, startRectiflow, temporaryFolder } from '../support/cli.ts';
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
    expect(stdout).toMatch(/^Stopped after [\d,]+ steps?, saved runs\/tiny\/checkpoints\/step-\d+\.$/m);
  });
});

/** Loaded before the command, to do what no part of it may: code that runs some time after the command's begin. */
async function preload(folder: string, code: string): Promise<string[]> {
  const file = join(folder, 'preload.mjs');
  await writeFile(file, code);
  return ['--import', file, join(dist, 'cli/main.js')];
}

const blockForever = 'setTimeout(() => { process.stdout.write("blocked\\n"); for (;;); }, 1500);';
/** Not by the clock: a machine that is busy has saved nothing by then. */
const blockAfterSave =
  'import { existsSync, readdirSync } from "node:fs"; const saved = "runs/tiny/checkpoints"; setInterval(() => { ' +
  'if (!existsSync(saved) || !readdirSync(saved).some((name) => name.startsWith("step-"))) return; ' +
  'process.stdout.write("blocked\\n"); for (;;); }, 20);';

describe.skipIf(unbuilt)(`where JavaScript cannot hear a signal${unbuilt ?? ''}`, () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('a command ends in seconds after one %s', async (signal, wanted) => {
    const folder = await workFolder({});
    const begin = [...(await preload(folder, blockForever)), 'data', 'check', 'tiny.json'];
    const checking = startNode(folder, [...begin, '--set', 'data.count=2000000']);
    await checking.saw(/^blocked$/m);
    checking.process.kill(signal);
    const since = performance.now();
    const { code, stderr } = await checking.finished;
    expect(code).toBe(wanted);
    expect(stderr).toContain('Left at once: what was being computed could not be interrupted.');
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  it('a training ends too, and can be resumed', async () => {
    const folder = await workFolder({ checkpointEvery: 1 });
    const begin = await preload(folder, blockAfterSave);
    const training = startNode(folder, [...begin, 'train', 'tiny.json']);
    await training.saw(/^blocked$/m);
    training.process.kill('SIGINT');
    await sleep(50);
    training.process.kill('SIGINT');
    expect((await training.finished).code).toBe(130);
    const again = startRectiflow(folder, ['resume', 'tiny']);
    await again.saw(/^run      runs\/tiny, from step \d+$/m);
    again.process.kill('SIGTERM');
    expect((await again.finished).code).toBe(143);
  });
});

describe.skipIf(unbuilt)(`where a read never ends${unbuilt ?? ''}`, () => {
  // A thread waits for whoever opens the pipe to write, and the process for the thread.
  const readForever =
    'import { execFileSync } from "node:child_process"; import { readFile } from "node:fs"; ' +
    'execFileSync("mkfifo", ["pipe"]); readFile("pipe", () => {}); ' +
    'setTimeout(() => process.stdout.write("reading\\n"), 1500);';

  it('a training saves its steps and ends', async () => {
    const folder = await workFolder({ checkpointEvery: 0 });
    const training = startNode(folder, [...(await preload(folder, readForever)), 'train', 'tiny.json']);
    await training.saw(/^reading$/m);
    await training.saw(/^step 1\//m);
    training.process.kill('SIGTERM');
    const { code, stdout } = await training.finished;
    expect(code).toBe(143);
    expect(stdout).toMatch(/^Stopped after [\d,]+ steps?, saved/m);
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
