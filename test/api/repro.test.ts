import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ReproductionOptions, recordReproduction } from '../../src/api/repro.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { version } from '../../src/host/machine.ts';
import type { Source } from '../../src/data/source.ts';
import { dataOfReproduction } from '../../src/known/known-data.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
let folder: string;
let run: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const config = { ...tinyStripes, train: { ...tinyStripes.train, checkpointEvery: 6 } };
  ({ run } = await train(config, { runs: folder, source, backend }));
});

async function record(options: ReproductionOptions = {}) {
  const notices: string[] = [];
  const made = await recordReproduction(run, { source, onNotice: (text) => notices.push(text), ...options });
  return { ...made, notices };
}

describe('the record of a run', () => {
  it('has config, versions, machine, data, checkpoints and the end of the log', async () => {
    const made = await record();
    expect(made).toMatchObject({
      run: 'stripes',
      seed: 0,
      config: { name: 'stripes', train: { steps: 12 } },
      versions: { rectiflow: version, node: process.version },
      machine: { arch: process.arch },
      recordedOn: { rectiflow: version },
      data: { count: 17, digested: 17 },
      checkpoints: [{ step: 6 }, { step: 12 }],
      lastLogged: { step: 12 },
      absolutePaths: [],
      notices: [],
    });
    expect(Object.keys(made.versions.dependencies)).toEqual(
      expect.arrayContaining(['commander', 'sharp', 'zod']),
    );
    expect(JSON.stringify(made)).not.toContain(hostname());
    expect(JSON.stringify(made)).not.toContain(folder);
  });

  it('knows what the run was trained on, which is compared where it is trained again', async () => {
    const named = (classNames: readonly string[]): Source => ({ ...stripes(), classNames });
    const pets = named(['cat', 'dog', 'owl']);
    const first = (await train(tinyStripes, { runs: await temporaryFolder(), source: pets, backend })).run;
    const file = join(await temporaryFolder(), 'pets.repro.json');
    const made = await recordReproduction(first, { source: pets });
    expect(made.trainedOn).toMatchObject({ classNames: ['cat', 'dog', 'owl'], count: 17 });
    await writeFile(file, JSON.stringify(made));
    const { config, origin } = await loadConfig(file);
    const known = await dataOfReproduction(file);
    const others = named(['cat', 'dog', 'zebra']);
    const runs = await temporaryFolder();
    await expect(train(config, { origin, known, runs, source: others, backend })).rejects.toThrow(
      /the data are not those of .*pets\.repro\.json: the class "owl" is missing, the class "zebra" is new/,
    );
    await train(config, { origin, known, runs, source: pets, backend });
    // Nothing is compared with what is no record.
    expect(await dataOfReproduction('digits')).toBeUndefined();
    expect(await dataOfReproduction(join(first, 'config.json'))).toBeUndefined();
  });

  it('says where the data are others than those of the run', async () => {
    const fewer = { ...stripes(), count: 16 };
    expect((await record({ source: fewer })).notices).toEqual([
      'stripes: the set had 17 samples, now it has 16.',
    ]);
  });

  it('can be trained as it is, to the same weights', async () => {
    const file = join(folder, 'stripes.repro.json');
    await writeFile(file, JSON.stringify(await record()));
    const { config, origin } = await loadConfig(file);
    const again = await train(config, { origin, runs: await temporaryFolder(), source, backend });
    expect(await checkpointBytes(again.run, 12)).toEqual(await checkpointBytes(run, 12));
    const [before, after] = [await record(), await recordReproduction(again.run, { source })];
    expect(after.data).toEqual(before.data);
    const weights = (made: typeof after) =>
      made.checkpoints.map((saved) => 'files' in saved && saved.files['model.safetensors']);
    expect(weights(after).at(-1)).toEqual(weights(before).at(-1));
  });

  it('notes data that are not there, and checkpoints that are damaged', async () => {
    const file = join(run, 'checkpoints', 'step-0000006', 'model.safetensors');
    const good = await readFile(file);
    await writeFile(file, good.subarray(1));
    const made = await record({ source: undefined });
    await writeFile(file, good);
    expect(made).toMatchObject({ data: null, checkpoints: [{ step: 6, damaged: true }, { step: 12 }] });
    expect(made.notices).toEqual([
      expect.stringMatching(/^there is no digest of the data: .*custom data/),
      expect.stringMatching(/step-0000006.model\.safetensors: has \d+ bytes/),
    ]);
  });

  it('names the settings that are absolute paths', async () => {
    const file = join(run, 'config.json');
    const text = await readFile(file, 'utf8');
    const data = { source: 'array', path: '/home/me/images.npy' };
    const config = { ...JSON.parse(text).config, data };
    await writeFile(file, JSON.stringify({ ...JSON.parse(text), config }));
    const { absolutePaths } = await record();
    await writeFile(file, text);
    expect(absolutePaths).toEqual(['data.path']);
  });
});
