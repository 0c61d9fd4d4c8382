import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rectiflow, temporaryFolder } from '../support/cli.ts';

it('what is given in place of a run is named, with the run or the command that was meant', async () => {
  const folder = await temporaryFolder();
  for (const run of ['runs/pets', 'runs/pets-2', 'runs/petsitters']) {
    await mkdir(join(folder, run, 'checkpoints'), { recursive: true });
    await writeFile(join(folder, run, 'config.json'), '{}');
  }
  await mkdir(join(folder, 'photos'));
  for (const file of ['pets.yaml', 'cats.yaml', 'weights.pt']) await writeFile(join(folder, file), 'a: 1\n');
  const told = async (given: string): Promise<string> => (await rectiflow(folder, ['resume', given])).stderr;
  expect(await told('pets.yaml')).toBe(
    'error: pets.yaml: is a config, not the folder of a run. Train it with: rectiflow train pets.yaml, or give a run that was made of it: runs/pets, runs/pets-2.\n',
  );
  expect(await told('cats.yaml')).toBe(
    'error: cats.yaml: is a config, not the folder of a run. Train it with: rectiflow train cats.yaml.\n',
  );
  expect(await told('runs/pets/config.json')).toContain('Give the folder of the run: runs/pets.');
  expect(await told('weights.pt')).toContain('is a file, not the folder of a run');
  expect((await rectiflow(folder, ['train', 'runs/pets'])).stderr).toBe(
    'error: runs/pets: is the folder of a run, and no config. Go on with it: rectiflow resume runs/pets. Or give its settings, to train anew: runs/pets/config.json.\n',
  );
  expect(await told('runs')).toContain('Give one of them: runs/pets, runs/pets-2, runs/petsitters.');
  expect(await told('photos')).toContain('photos: is no run: it has no config.json.');
  expect(await told('pest')).toMatch(
    /pest: is no run: there is no such folder\. .*Did you mean "runs\/pets"\?/,
  );
});
