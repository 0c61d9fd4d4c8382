// A state.json whose checksum is right and whose content is none: somebody wrote it so. That is told, as of any file.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { resume, sample, train } from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { rewriteState } from '../support/checkpoint-state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const options = { source: stripes(), backend: referenceBackend() };
let whole: string;
beforeAll(async () => {
  const config = { ...tinyStripes, train: { ...tinyStripes.train, steps: 2 } };
  whole = (await train(config, { ...options, runs: await temporaryFolder() })).run;
});

type Members = Record<string, any>;

async function forged(change: (members: Members) => Members): Promise<string> {
  const run = join(await temporaryFolder(), 'stripes');
  await cp(whole, run, { recursive: true });
  await rewriteState(join(run, 'checkpoints', 'step-0000002'), change);
  return run;
}

/** Another value for a member of `state`. */
const withState =
  (more: Members) =>
  (members: Members): Members => ({ ...members, state: { ...members['state'], ...more } });

it.each<[what: string, change: (members: Members) => Members, message: RegExp]>([
  [
    'state is null',
    (members) => ({ ...members, state: null }),
    /state\.json: is no state of a checkpoint: state: /,
  ],
  ['state is a list', (members) => ({ ...members, state: [] }), /is no state of a checkpoint: state: /],
  ['step is a text', (members) => ({ ...members, step: 'x' }), /is no state of a checkpoint: step: /],
  ['files are null', (members) => ({ ...members, files: null }), /is no state of a checkpoint: files: /],
  [
    'a digest is a number',
    (members) => ({ ...members, files: { 'ema.safetensors': 3 } }),
    /files\.ema\.safetensors: /,
  ],
  ['position is a text', withState({ position: 'x' }), /is no state of a training: state\.position: /],
  ['position is negative', withState({ position: { epoch: -1, offset: 0 } }), /state\.position\.epoch: /],
  ['seconds is a text', withState({ seconds: '5' }), /state\.seconds: /],
  ['updates is a list', withState({ updates: [] }), /state\.updates: /],
  ['bad steps are a number', withState({ recentBadSteps: 4 }), /state\.recentBadSteps: /],
  ['class names are numbers', withState({ data: { classNames: [1, 2, 3] } }), /state\.data\.classNames\.0: /],
  ['the settings are null', withState({ trainedWith: null }), /state\.trainedWith: /],
  [
    'the settings are a text',
    withState({ trainedWith: { config: 'x', kernels: 'cpu' } }),
    /state\.trainedWith\.config: /,
  ],
])('%s: resume says so', async (_, change, message) => {
  const run = await forged(change);
  const failure = resume(run, options);
  await expect(failure).rejects.toThrow(message);
  await expect(failure).rejects.not.toThrow(/bug in rectiflow/);
});

it('sample says so too', async () => {
  const run = await forged(withState({ data: [] }));
  await expect(sample(run, { backend: options.backend, count: 1 })).rejects.toThrow(/state\.data: /);
});
