// One run, and processes of several hosts and containers.
import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunFolder } from '../../src/runs/run-folder.ts';
import { dist, start, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

const run = join('runs', 'tiny');
const main = join(dist, 'cli/main.js');

function cannot(namespaces: readonly string[]): string {
  const { status } = spawnSync('unshare', [...namespaces, 'true']);
  return status === 0 ? '' : ' (skipped: namespaces cannot be made here)';
}

async function workFolder(): Promise<string> {
  const folder = await temporaryFolder();
  const config = { ...tinyDigits, train: { ...tinyDigits.train, steps: 1_000_000 } };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  return folder;
}

describe('a run', () => {
  const container = ['--pid', '--fork', '--kill-child', '--mount-proc'];
  const noContainer = cannot(container);
  it.skipIf(noContainer)(
    `that a container with the same host name works on is not taken from it${noContainer}`,
    async () => {
      const folder = await workFolder();
      const node = [process.execPath, main, 'train', 'tiny.json'];
      const training = start(folder, 'unshare', [...container, ...node]);
      await training.saw(/^step 1\//m);
      await expect(RunFolder.open(join(folder, run))).rejects.toThrow(
        new RegExp(`is in use by process \\d+ on ${hostname()}, since .*, and renewed its lock \\d+ s ago`),
      );
      expect((await readdir(join(folder, run))).filter((name) => name.startsWith('lock-'))).toHaveLength(1);
      training.process.kill('SIGKILL');
      await training.finished;
    },
  );

  const noName = cannot(['--uts']);
  it.skipIf(noName)(
    `that was killed goes on at once, also where the machine has another name by then${noName}`,
    async () => {
      const folder = await workFolder();
      const killed = startRectiflow(folder, ['train', 'tiny.json']);
      await killed.saw(/^step 1\//m);
      killed.process.kill('SIGKILL');
      await killed.finished;
      const command = `hostname renamed && exec "${process.execPath}" "${main}" resume ${run}`;
      const resumed = start(folder, 'unshare', ['--uts', 'sh', '-c', command]);
      await resumed.saw(/^step \d+\//m);
      resumed.process.kill('SIGINT');
      const { code, stdout, stderr } = await resumed.finished;
      expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
      expect(stdout).not.toContain('is held by');
    },
  );

  it('that waits for another host can be stopped, with the exit code of the signal', async () => {
    const folder = await workFolder();
    const path = join(folder, run);
    await (await RunFolder.create(path, {})).close();
    const [since, host] = ['2025-01-01T00:00:00.000Z', 'elsewhere'];
    const lock = {
      pid: 5,
      host,
      pidSpace: 'boot pid:[1]',
      started: null,
      owner: '0a',
      since,
      renewed: since,
    };
    await writeFile(join(path, 'lock-5-0a.json'), JSON.stringify(lock));
    const waiting = startRectiflow(folder, ['resume', run]);
    await waiting.saw(/^note: runs\/tiny: is held by process 5 on elsewhere/m);
    waiting.process.kill('SIGUSR1');
    expect(await waiting.finished).toMatchObject({ code: 85, stderr: '' });
  });
});
