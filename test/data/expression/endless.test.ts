import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Hdf5File } from '../../../src/data/expression/hdf5.ts';

// In a file of its own: the library is not used again once it had to be stopped.
test('a file whose blocks refer to each other in a circle is given up', async () => {
  const path = join(import.meta.dirname, 'fixtures/endless.h5ad');
  const file = await Hdf5File.open(path);
  const table = file.find('var')!;
  expect(() => file.attribute(table, '_index')).toThrow(
    /endless\.h5ad: attribute _index of \/var cannot be read: it took longer than \d+ s/,
  );
  file.close();
  await expect(Hdf5File.open(path)).rejects.toThrow(
    /was stopped while it read this file\. Start the program again/,
  );
}, 120_000);
