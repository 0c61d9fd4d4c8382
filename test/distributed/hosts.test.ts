import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseHosts, placeRanks, readHostfile } from '../../src/distributed/hosts.ts';
import { temporaryFolder } from '../support/cli.ts';

const a = { name: 'a', slots: undefined };
const b2 = { name: 'b', slots: 2 };

async function hostfile(text: string): Promise<string> {
  const path = join(await temporaryFolder(), 'hosts');
  await writeFile(path, text);
  return path;
}

describe('machines are named by an option or a file', () => {
  it('with the number of ranks that each takes', async () => {
    expect(parseHosts('a, b:2')).toEqual([a, b2]);
    expect(parseHosts('node-1.lab,10.0.0.2')).toEqual([
      { name: 'node-1.lab', slots: undefined },
      { name: '10.0.0.2', slots: undefined },
    ]);
  });

  it('in files as Open MPI or MPICH have them', async () => {
    const text = '# all\na\n\nb slots=2 max-slots=4 # the new one\n  b:2\nb slots = 2\r\n';
    expect(await readHostfile(await hostfile(text))).toEqual([a, b2, b2, b2]);
  });

  it.each(['', 'a,,b', 'a:0', 'a:x', '-x', 'a b', 'a;rm', 'a:2 slots=2'])('%j names none', (text) => {
    expect(() => parseHosts(text)).toThrow(/^--hosts: must be names of machines with commas .*, got ".*"\.$/);
  });

  it('files that name none, and lines that are something else, are refused', async () => {
    await expect(readHostfile(await hostfile('# none\n'))).rejects.toThrow(/hosts: names no machine\./);
    await expect(readHostfile(await hostfile('a\nb slots=none\n'))).rejects.toThrow(
      /hosts: line 2 is "b slots=none"\./,
    );
    await expect(readHostfile('/nowhere')).rejects.toThrow(
      '/nowhere: no such file or folder. Give --hostfile a file',
    );
  });
});

describe('ranks are placed', () => {
  it.each([
    ['a,b', 4, 'a:2,b:2'],
    ['a,b', 5, 'a:3,b:2'],
    ['a,b', 1, 'a:1'],
    ['a,b:2', 3, 'a:1,b:2'],
    ['a:4,b:4', 6, 'a:4,b:2'],
    ['a:4,b:4', 4, 'a:4'],
  ])('on %s %i: %s', (hosts, ranks, wanted) => {
    const placed = placeRanks(parseHosts(hosts), ranks).map(({ name, ranks: own }) => `${name}:${own}`);
    expect(placed.join(',')).toBe(wanted);
  });

  it('more of them than machines take are refused', () => {
    expect(() => placeRanks(parseHosts('a:1,b:2'), 4)).toThrow(
      '--ranks: 4 were asked for, but a:1,b:2 take 3. Ask for fewer, name more machines, or write behind each how many it takes, as in a:2.',
    );
  });
});
