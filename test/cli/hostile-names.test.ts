// Whatever names from outside hold, a terminal gets lines of printable text.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { encodeTar } from '../../src/formats/tar/write.ts';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { writeTiny } from '../support/h5ad.ts';
import { npy } from '../support/npy.ts';

/** Sets the title of a window, clears the screen, turns the text round and begins a line of its own. */
const hostile = '\u001b]0;x\u0007\u009b2J\u202e\nerror: x\r';
const shown = String.raw`\x1b]0;x\x07\x9b2J\u202e\nerror: x\r`;
const quoted = JSON.stringify(hostile);

let folder: string;
let picture: Buffer;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);
const config = (name: string, content: unknown): Promise<void> =>
  writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));

const tiny = {
  model: { width: 16, depth: 1, heads: 1, patchSize: 4 },
  train: { steps: 2, batchSize: 2, sampleEvery: 0, checkpointEvery: 0 },
  sample: { steps: 1, perClass: 1 },
};

beforeAll(async () => {
  folder = await temporaryFolder();
  picture = await sharp(Buffer.alloc(64 * 3), { raw: { width: 8, height: 8, channels: 3 } })
    .png()
    .toBuffer();
});

/** Checks that all that was printed is printable, in lines that begin as ours do. */
function checkPrinted({ stdout, stderr }: Finished, wanted = shown): void {
  const printed = stdout + stderr;
  expect(printed).toContain(wanted);
  expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
  expect(printed).not.toMatch(/^error: x/m);
}

interface Way {
  readonly of: string;
  readonly args: readonly string[];
  readonly make?: () => Promise<void>;
  /** Where the name is shown in another spelling. */
  readonly wanted?: string;
}

const json = String.raw`\u001b]0;x\u0007`;

const ways: readonly Way[] = [
  { of: 'an argument', args: ['info', hostile] },
  { of: 'an option', args: ['train', `--${hostile}`] },
  { of: 'a setting', args: ['train', 'digits', '--set', `${hostile}a=1`] },
  { of: 'a recipe', args: ['train', hostile], wanted: json },
  { of: 'a run', args: ['train', 'digits', '--name', hostile], wanted: json },
  {
    of: 'a key of YAML',
    make: () => config('key.yaml', `${quoted}: 1\ndata: { source: ${quoted} }`),
    args: ['train', 'key.yaml'],
  },
  {
    of: 'YAML that is none',
    make: () => config('bad.yaml', `a: 1\n${hostile.replaceAll(/[\n\r]/g, '')}: [`),
    args: ['train', 'bad.yaml'],
    wanted: 'is no YAML',
  },
  {
    of: 'a file of an image, and its folder',
    async make() {
      await mkdir(join(folder, 'photos', hostile), { recursive: true });
      await writeFile(join(folder, 'photos', hostile, `${hostile}.png`), picture.subarray(0, 60));
      await writeFile(join(folder, 'photos', hostile, 'a.png'), picture);
      await config('photos.json', { data: { source: 'folder', path: 'photos', size: 8 } });
    },
    args: ['data', 'check', 'photos.json'],
  },
  {
    of: 'a column and a file of metadata',
    async make() {
      await mkdir(join(folder, 'meta'));
      await writeFile(join(folder, 'meta', 'a.png'), picture);
      await writeFile(join(folder, 'meta', 'metadata.csv'), `file_name,text\n"${hostile}.png",a cat\n`);
      await config('meta.json', { data: { source: 'folder', path: 'meta', size: 8, condition: 'caption' } });
    },
    args: ['data', 'check', 'meta.json'],
  },
  {
    of: 'a member of a tar file',
    async make() {
      const content = Buffer.from('no image');
      await writeFile(join(folder, 'a.tar'), encodeTar([{ name: `${hostile}.png`, content }]));
      await config('tar.json', { data: { source: 'shards', path: 'a.tar', size: 8 } });
    },
    args: ['data', 'check', 'tar.json'],
  },
  {
    of: 'a class of a tar file',
    async make() {
      const label = { name: 'a.json', content: Buffer.from(JSON.stringify({ label: hostile })) };
      await writeFile(join(folder, 'b.tar'), encodeTar([{ name: 'a.png', content: picture }, label]));
      await config('class.json', { data: { source: 'shards', path: 'b.tar', size: 8 } });
    },
    args: ['data', 'check', 'class.json'],
  },
  {
    of: 'a tensor',
    async make() {
      const data = new Float32Array(4);
      const tensors = new Map([[hostile, { dtype: 'F32', shape: [2, 2], data } as const]]);
      await writeSafetensors(join(folder, 'a.safetensors'), tensors);
    },
    args: ['import', 'a.safetensors'],
  },
  {
    of: 'a column of cells',
    async make() {
      const obs = { [hostile.replaceAll('/', '')]: ['a', 'b'] };
      await writeTiny(join(folder, 'a.h5ad'), { X: [[1], [2]], cells: 2, genes: [hostile], obs });
      await config('cells.json', { data: { source: 'expression', path: 'a.h5ad', label: 'type' } });
    },
    args: ['data', 'check', 'cells.json'],
  },
];

describe('a hostile name', () => {
  it.each(ways)('of $of is shown escaped', async ({ make, args, wanted }) => {
    await make?.();
    checkPrinted(await run(...args), wanted);
  });

  it('of a file that is skipped is a line of notices.log', async () => {
    const many = join(folder, 'many');
    await mkdir(many);
    for (let i = 0; i < 30; i++) await writeFile(join(many, `${i}.png`), picture);
    await writeFile(join(many, `${hostile}.png`), picture.subarray(0, 60));
    const settings = { source: 'folder', path: 'many', size: 8 };
    const train = { ...tiny.train, steps: 20 };
    const loader = { onBadSample: 'skip' };
    await config('many.json', { ...tiny, name: 'many', data: settings, train, loader });
    checkPrinted(await run('train', 'many.json'));
    const log = await readFile(join(folder, 'runs/many/notices.log'), 'utf8');
    expect(log).toContain(shown);
    expect(log.match(/^step \d+: .*$/gm)).toEqual(log.split('\n').slice(0, -1));
  });

  it('of classes stays one in training, in sampling and in files', async () => {
    await writeFile(join(folder, 'x.npy'), npy('|u1', [4, 1, 8, 8], new Uint8Array(256)));
    await writeFile(join(folder, 'y.npy'), npy('<i8', [4], BigInt64Array.of(0n, 1n, 2n, 2n)));
    const classNames = [hostile, `${hostile} `, 'cat'];
    const data = { source: 'array', path: 'x.npy', labels: 'y.npy', classNames };
    await config('hostile.json', { ...tiny, name: 'hostile', data });
    checkPrinted(await run('data', 'check', 'hostile.json'), 'Classes are easily mistaken for each other');
    const report = await run('data', 'check', 'hostile.json', '--json');
    expect((JSON.parse(report.stdout) as { classes: { name: string }[] }).classes[0]!.name).toBe(hostile);
    checkPrinted(report, json);
    checkPrinted(await run('train', 'hostile.json'), 'note: Classes are easily mistaken for each other');
    checkPrinted(await run('sample', 'runs/hostile', '--labels', 'dog'));
    checkPrinted(await run('sample', 'runs/hostile', '--labels', `"${hostile}",cat`, '--out', 'made'));
    expect((await readdir(join(folder, 'made'))).toSorted()).toEqual(['__0_x__2J__error_ x_', 'cat']);
    checkPrinted(await run('info', 'runs/hostile'), 'runs/hostile');
  });
});
