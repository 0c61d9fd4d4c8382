// What docs/growing-and-sizes.md says of growing: its config and commands, run in small.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type ConfigInput, resolveConfig } from '../../src/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { docsBlocks, docsCommands, docsSection } from '../support/docs.ts';

const page = 'growing-and-sizes.md';
const growing = await docsSection(page, '## Growing');
const another = await docsSection(page, '## Growing a run that there is');
const config = parse(docsBlocks(growing, 'yaml')[0]!) as ConfigInput;

/** What makes them tiny: everything else is as the page says. */
const small = {
  model: { width: 8, depth: 1, heads: 1 },
  train: { batchSize: 2, logEvery: 1, sampleEvery: 0 },
  sample: { steps: 1, perClass: 1 },
  backend: { name: 'reference' },
} as const;
const smaller: Readonly<Record<string, readonly string[]>> = { sample: ['--steps', '1', '--count', '1'] };

let folder: string;

/** @returns what it says */
async function run(args: readonly string[]): Promise<string> {
  const fewer = args.map((arg) => arg.replace(/^train\.steps=\d+$/, 'train.steps=3'));
  const { code, stdout, stderr } = await rectiflow(folder, [...fewer, ...(smaller[args[0]!] ?? [])]);
  const errors = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('note: '));
  expect({ args, code, errors }).toEqual({ args, code: 0, errors: [] });
  return stdout;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'photos'));
  for (let i = 0; i < 4; i++)
    await sharp({
      create: {
        height: 70 + 10 * i,
        width: 100 - 10 * i,
        channels: 3,
        background: { r: 60 * i, g: 90, b: 200 },
      },
    })
      .png()
      .toFile(join(folder, 'photos', `${i}.png`));
  const tiny = {
    ...config,
    ...small,
    model: { ...config.model, ...small.model },
    stages: config.stages!.map((stage) => ({ ...stage, steps: stage.steps! / 1000, batchSize: 2 })),
  };
  await writeFile(join(folder, 'growing.yaml'), stringify(tiny));
});

describe('docs/growing-and-sizes.md, of growing', () => {
  it('has settings that there are, of stages with as many tokens each', () => {
    const facts = { name: 'photos', count: 1000, shape: [3, 64, 64] };
    const { stages, train } = resolveConfig(config, { facts });
    expect(train.steps).toBe(4000);
    expect(stages.map(({ imageSize, patchSize }) => imageSize[0] / patchSize)).toEqual([8, 8, 8]);
    expect(stages.map(({ warmupSteps }) => warmupSteps)).toEqual([100, 100, 100]);
  });

  it('has commands of a run of stages that work', async () => {
    const commands = docsCommands(growing);
    expect(commands.map(([name]) => name)).toEqual(['doctor', 'train', 'info', 'sample']);
    // So small a model learns no batch, which the doctor finds.
    const { stdout: found } = await rectiflow(folder, commands[0]!);
    expect(found).toMatch(/memory +stage \d, \d+x\d+: training takes about/);
    expect(found).toMatch(/one batch +stage 1, 32x32: /);
    const trained = await run(commands[1]!);
    const described = await run(commands[2]!);
    await run(commands[3]!);
    expect(trained).toMatch(
      /stage 2 of 3 begins after step 2: .*3 resized: .*x_embedder\.proj\.weight \[8, 3, 4, 4\] -> \[8, 3, 6, 6\]/,
    );
    expect(trained).toMatch(
      /The loss on 2 samples, .* at 48x48, and is .* at 64x64 before the first step there/,
    );
    expect(described).toContain('3: 64x64 in patches of 8, steps 4 to 4');
    const { records } = await readMetrics(join(folder, 'runs', 'growing', 'metrics.jsonl'));
    expect(records.map(({ stage }) => stage)).toEqual([1, 1, 2, 3]);
    await run(['sample', 'runs/growing', '--checkpoint', '2']);
  }, 120_000);

  it('has commands of a run that grows that work', async () => {
    const commands = docsCommands(another);
    expect(commands.map(([name]) => name)).toEqual(['grow', 'resume', 'grow', 'resume']);
    const told: string[] = [];
    for (const args of commands) told.push(await run(args));
    expect(told[0]).toContain('Tokens are 8x8 as before');
    expect(told[0]).toContain('The moments of the optimizer begin with zero');
    expect(told[2]).toContain('Tokens were 8x8 and are 12x12 now');
    expect(told[2]).toContain('stretched over 8x8. The moments of the optimizer are resized with them');
    expect((await readRun(join(folder, 'runs', 'wider'))).config).toMatchObject({
      model: { imageSize: [96, 96], patchSize: 8, positions: 'stretched', positionGrid: [8, 8] },
      train: { steps: 3 },
    });
  }, 120_000);
});
