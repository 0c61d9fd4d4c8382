// What is told of runs whose files are damaged, cut or missing.
import { mkdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RunDetails, RunList } from '../../src/page/contract.ts';
import { encodeState } from '../../src/kept/checkpoint-state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, startPage, writeRun } from '../support/page.ts';

it('the list shows those that are damaged, and says what is wrong', async () => {
  const runs = await temporaryFolder();
  await writeRun(runs, 'whole');
  await truncate(join(await writeRun(runs, 'empty'), 'config.json'), 0);
  await writeFile(join(await writeRun(runs, 'cut'), 'config.json'), '{"version": "1", "conf');
  await writeFile(join(await writeRun(runs, 'other'), 'config.json'), '[1, 2]');
  await writeFile(
    join(await writeRun(runs, 'odd'), 'config.json'),
    '{"version":"1","config":{"train":"x","model":7,"stages":3,"data":null}}',
  );
  await writeFile(
    join(await writeRun(runs, 'log'), 'metrics.jsonl'),
    Buffer.from([0, 255, 10, 1, 2, 10, 123]),
  );
  await mkdir(join(runs, 'a folder in config.json', 'config.json'), { recursive: true });
  await mkdir(join(runs, 'no run'));
  await rm(join(await writeRun(runs, 'no config', { log: [logLine(1)] }), 'config.json'));
  await mkdir(join(runs, 'only checkpoints', 'checkpoints', 'step-0000001'), { recursive: true });
  await writeFile(join(await writeRun(runs, 'a list'), 'config.json'), '{"version":"1","config":[]}');
  await writeFile(join(runs, 'a file'), '');
  const page = await startPage({ runs });
  const all = (await page.get<RunList>('/api/runs')).runs;
  const list = Object.fromEntries(all.map((run) => [run.name, run]));
  const states = Object.fromEntries(Object.entries(list).map(([name, { state }]) => [name, state]));
  expect(states).toEqual({
    whole: 'stopped',
    empty: 'damaged',
    cut: 'damaged',
    other: 'damaged',
    odd: 'stopped',
    log: 'stopped',
    'a folder in config.json': 'damaged',
    'no config': 'damaged',
    'only checkpoints': 'damaged',
    'a list': 'damaged',
  });
  expect(list['no config']!.sentence).toMatch(/config\.json: is missing\. Restore it from a backup/);
  expect(list['cut']!.sentence).toMatch(/config\.json.*Restore it from a backup/);
  for (const name of Object.keys(list)) {
    const details = await page.get<RunDetails>(`/api/runs/${name}`);
    expect([name, details.damage.length > 0]).toEqual([name, list[name]!.state === 'damaged']);
    await page.get(`/api/runs/${name}/series?fields=loss`);
  }
});

it('a picture that is cut is said to be being written at first, and later sent as it is', async () => {
  const runs = await temporaryFolder();
  const path = join(await writeRun(runs, 'one'), 'samples', 'step-0000003.png');
  await writeFile(path, 'cut');
  const page = await startPage({ runs });
  const address = '/api/runs/one/samples/step-0000003.png';
  expect((await page.fetch(address)).status).toBe(503);
  await utimes(path, 0, 0);
  expect(await (await page.fetch(address)).text()).toBe('cut');
});

it('a file of a checkpoint that leads out of its run is not looked at', async () => {
  const runs = await temporaryFolder();
  const run = await writeRun(runs, 'one', { log: [logLine(1)] });
  const checkpoint = join(run, 'checkpoints', 'step-0000001');
  await mkdir(checkpoint, { recursive: true });
  await writeFile(join(runs, 'secret'), 'of this machine');
  const files = { '../../../secret': { bytes: 1, sha256: '' } };
  await writeFile(
    join(checkpoint, 'state.json'),
    await encodeState({ format: 1, step: 1, state: {}, files }),
  );
  const page = await startPage({ runs });
  const { checkpoints } = await page.get<RunDetails>('/api/runs/one');
  expect(checkpoints[0]!.problem).toMatch(/leads out of the run/);
});
