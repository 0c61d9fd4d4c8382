// The WebAssembly backend beside the interpreter and one thread of native kernels, in turns: npm run bench:wasm
import { readFile } from 'node:fs/promises';
import {
  type Backend,
  FlowSampler,
  type RunConfig,
  cpuBackend,
  createModel,
  initializeState,
  referenceBackend,
  wasmBackend,
} from 'rectiflow';
import { caseByName, caseNames } from './cases.ts';
import { readOptions } from './options.ts';
import { median, pairwiseRatios, spread } from './statistics.ts';
import { digits, markdownTable, ratio } from './table.ts';
import { prepareStepOn } from './training-step.ts';

const usage = `npm run bench:wasm -- [CASE ...] [--rounds N] [--quick]

  CASE      ${caseNames.join(', ')}; digits by default
  --rounds  turns of each side (5)
  --quick   two rounds`;

const options = readOptions({ usage, names: caseNames, defaultNames: ['digits'], rounds: 5, quickRounds: 2 });
const images = 4;

const kernels = await readFile(new URL(import.meta.resolve('rectiflow/kernels.wasm')));
const wasm = await wasmBackend(kernels);
const native = cpuBackend({ threads: 1 });
const backends: Readonly<Record<string, Backend>> = {
  wasm,
  reference: referenceBackend(),
  'cpu, 1 thread': native,
};

for (const name of options.names) {
  const { title, config } = caseByName(name);
  console.error(`${name}: ${options.rounds} rounds`);
  const forward = await compare(Object.entries(backends), (backend) => evaluation(backend, config));
  // The interpreter would take minutes.
  const step = await compare(
    Object.entries(backends).filter(([player]) => player !== 'reference'),
    (backend) => trainingStep(backend, config),
  );
  const rows = [
    ...forward.map((cells) => [`evaluation, ${images} images`, ...cells]),
    ...step.map((cells) => [`training step, batch ${config.train.batchSize}`, ...cells]),
  ];
  const header = ['what', 'backend', 'ms', "wasm's speed in proportion"];
  console.log(
    [`**${name}**: ${title}; ${native.describe()}`, '', ...markdownTable(header, rows, 2), ''].join('\n'),
  );
  console.log([...(await opsOfStep(config)), ''].join('\n'));
}
await Promise.all(Object.values(backends).map((backend) => backend.dispose()));

/** @returns for each player its name, its milliseconds, and how many times as fast the first one is */
async function compare(
  players: readonly (readonly [string, Backend])[],
  prepare: (backend: Backend) => Promise<() => Promise<unknown>>,
): Promise<string[][]> {
  const runs: (() => Promise<unknown>)[] = [];
  for (const [, backend] of players) runs.push(await prepare(backend));
  for (const run of runs) await run();
  const turns = runs.map((): number[][] => []);
  for (let round = 0; round < options.rounds; round++)
    for (const [i, run] of runs.entries()) turns[i]!.push([await timed(run)]);
  return players.map(([player], i) => [
    player,
    digits(median(turns[i]!.flat())),
    ratio(spread(pairwiseRatios(turns[0]!, turns[i]!))),
  ]);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

/** One evaluation of the model by a sampler. */
async function evaluation(backend: Backend, config: RunConfig): Promise<() => Promise<unknown>> {
  const model = createModel(config.model);
  const weights = new Map(
    model.parameters.map((spec) => [spec.name, backend.allocate({ shape: spec.shape, dtype: 'float32' })]),
  );
  await initializeState(backend, model, weights, config.seed);
  const sampler = new FlowSampler(backend, model, weights);
  const labels = Array.from({ length: images }, (_, i) => i % model.conditions[0]!.limit!);
  return () => sampler.sample({ count: images, conditions: { labels }, steps: 1, seed: config.seed });
}

async function trainingStep(backend: Backend, config: RunConfig): Promise<() => Promise<unknown>> {
  const { executable, inputs } = await prepareStepOn(backend, config);
  let step = 0;
  return async () => {
    await executable.run(inputs(++step));
    await executable.read(['loss']);
  };
}

/** Where a step's time goes on WebAssembly. */
async function opsOfStep(config: RunConfig): Promise<string[]> {
  const { executable, inputs } = await prepareStepOn(wasm, config);
  for (let step = 1; step <= options.rounds; step++) await executable.run(inputs(step));
  const { runs, ops } = executable.profile();
  const rows = ops
    .slice(0, 12)
    .map(({ op, nodes, milliseconds }) => [op, String(nodes), digits(milliseconds / runs)]);
  return markdownTable(['op of a step', 'nodes', 'ms'], rows);
}
