// What docs/planning.md says, done in little.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { assumedUtilisation, machines } from '../../src/api/plan/machines.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { docsCommands } from '../support/docs.ts';
import { tinyDigits } from '../support/tiny-run.ts';

const page = await readFile(fileURLToPath(new URL('../../docs/planning.md', import.meta.url)), 'utf8');
const commands = docsCommands(page);

/** Of the recipe, as small as can be. */
const small = [
  'model.preset=DiT-Ti/64',
  'train.batchSize=2',
  'train.steps=2',
  'optimizer.warmupSteps=1',
  'sample.labels=[0, 1]',
  'sample.steps=1',
  'backend.threads=1',
].flatMap((setting) => ['--set', setting]);

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'my-config.yaml'), JSON.stringify(tinyDigits));
  const create = { width: 300, height: 280, channels: 3, background: '#808000' } as const;
  const picture = await sharp({ create }).jpeg().toBuffer();
  for (const name of ['n01440764', 'n01443537']) {
    const path = join(folder, 'imagenet/train', name);
    await mkdir(path, { recursive: true });
    for (const i of [1, 2]) await writeFile(join(path, `${name}_${i}.JPEG`), picture);
  }
});

describe('docs/planning.md', () => {
  it('has commands of every kind', () => {
    expect(commands).toHaveLength(11);
  });

  it.each(commands.map((args) => [args.join(' '), args] as const))('%s', async (command, args) => {
    const isRecipe = command.includes('imagenet');
    const timed = args[0] === 'plan' && !args.includes('--seconds') ? ['--seconds', '0.2'] : [];
    const { code, stdout, stderr } = await rectiflow(folder, [...args, ...(isRecipe ? small : []), ...timed]);
    // Without the data the doctor finds what is missing.
    expect({ code, stderr }).toEqual({ code: args[0] === 'doctor' ? 1 : 0, stderr: expect.any(String) });
    expect(stderr).not.toMatch(/error/);
    const isJson = args.includes('--json');
    if (args[0] === 'plan' && !isJson) expect(stdout).toMatch(/ in all, on this machine: /);
    if (isJson) expect(JSON.parse(stdout)).toMatchObject({ name: 'tiny', time: { by: 'peak' } });
    if (args[0] === 'doctor') expect(stdout).toMatch(/^FAIL {2}data {11}data\.path: wanted the folder/m);
    if (command.endsWith('plan imagenet --machine H100'))
      expect(stdout).toMatch(/^ {2}the data were not there: /m);
    if (args[0] === 'train') expect(stdout).toMatch(/^Trained 2 steps in /m);
  });

  it('states the figures of every machine, and the share that is assumed', () => {
    const rows = Array.from(page.matchAll(/^\| `(\w[\w-]+)` \|(.*)\|$/gm), ([, name, cells]) => [
      name!,
      ...cells!.split('|').map((cell) => cell.trim()),
    ]);
    expect(rows.map(([name]) => name)).toEqual(machines.map(({ name }) => name));
    rows.forEach(([, bf16, fp32, memory, link, source], i) => {
      const machine = machines[i]!;
      expect([bf16, fp32]).toEqual([machine.bf16, machine.fp32].map((peak) => `${peak / 1e12} TFLOP/s`));
      const unit = memory!.endsWith('GiB') ? 2 ** 30 : 1e9;
      expect(Number.parseFloat(memory!) * unit).toBe(machine.memory);
      expect(link).toBe(`${machine.link.bandwidth / 1e9} GB/s`);
      expect(machine.source).toContain(source);
    });
    expect(page).toContain(`\`--utilisation\` (${assumedUtilisation})`);
  });
});
