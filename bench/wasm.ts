// The WebAssembly backend beside the interpreter and one thread of native kernels, in turns: npm run bench:wasm
import { readFile } from 'node:fs/promises';
import {
  type Backend,
  FlowSampler,
  type RunConfig,
  type WasmExecutable,
  cpuBackend,
  createModel,
  initializeState,
  referenceBackend,
  wasmBackend,
} from 'rectiflow';
import { autoencoderCases } from './autoencoder-cases.ts';
import { caseByName, caseNames } from './cases.ts';
import { prepareDecoder } from './decoder.ts';
import { readOptions } from './options.ts';
import { median, pairwiseRatios, spread } from './statistics.ts';
import { digits, markdownTable, ratio } from './table.ts';
import { timedRuns } from './timed-runs.ts';
import { prepareStepOn } from './training-step.ts';

const decoders = ['small', 'taesd'] as const;
/** Of their pictures, in pixels. */
const side = 64;

const usage = `npm run bench:wasm -- [CASE ...] [--rounds N] [--quick]

  CASE      ${caseNames.join(', ')}; digits by default;
            or an autoencoder: ${decoders.join(', ')}
  --rounds  turns of each side (5)
  --quick   two rounds`;

type Decoder = (typeof decoders)[number];
type Players = readonly (readonly [string, Backend])[];
type Prepare = (backend: Backend) => Promise<() => Promise<unknown>>;
type Measurement = readonly [what: string, players: Players, prepare: Prepare];

const options = readOptions({
  usage,
  names: [...caseNames, ...decoders],
  defaultNames: ['digits'],
  rounds: 5,
  quickRounds: 2,
});
const images = 4;
const secondsOfTurn = 1;

const kernels = await readFile(new URL(import.meta.resolve('rectiflow/kernels.wasm')));
const wasm = await wasmBackend(kernels);
const native = cpuBackend({ threads: 1 });
const backends: Readonly<Record<string, Backend>> = {
  wasm,
  reference: referenceBackend(),
  'cpu, 1 thread': native,
};

const everyone = Object.entries(backends);
/** The interpreter would take minutes. */
const compiled = everyone.filter(([player]) => player !== 'reference');

for (const name of options.names) {
  console.error(`${name}: ${options.rounds} rounds`);
  const isDecoder = (decoders as readonly string[]).includes(name);
  console.log((await (isDecoder ? measureDecoder(name as Decoder) : measureModel(name))).join('\n'));
}
await Promise.all(Object.values(backends).map((backend) => backend.dispose()));

async function measureModel(name: string): Promise<string[]> {
  const { title, config } = caseByName(name);
  const rows = await compareAll([
    [`evaluation, ${images} images`, everyone, (backend) => evaluation(backend, config)],
    [`training step, batch ${config.train.batchSize}`, compiled, (backend) => trainingStep(backend, config)],
  ]);
  const { executable, inputs } = await prepareStepOn(wasm, config);
  const ops = await opsOf(executable, (step) => executable.run(inputs(step)));
  return [
    ...tableOf(`**${name}**: ${title}`, rows),
    ...markdownTable(['op of a step', 'nodes', 'ms'], ops),
    '',
  ];
}

async function measureDecoder(name: Decoder): Promise<string[]> {
  const { config } = autoencoderCases[name];
  const prepare =
    (learns: boolean): Prepare =>
    async (backend: Backend) =>
      (await prepareDecoder(backend, { config, side, learns })).run;
  const rows = await compareAll([
    ['decode', everyone, prepare(false)],
    ['decode, and gradients', compiled, prepare(true)],
  ]);
  const { executable, run } = await prepareDecoder(wasm, { config, side, learns: true });
  const ops = await opsOf(executable, run);
  const title = `**${name}**: a picture of ${side}x${side}`;
  return [...tableOf(title, rows), ...markdownTable(['op, with gradients', 'nodes', 'ms'], ops), ''];
}

function tableOf(title: string, rows: string[][]): string[] {
  const header = ['what', 'backend', 'ms', "wasm's speed in proportion"];
  return [`${title}; ${native.describe()}`, '', ...markdownTable(header, rows, 2), ''];
}

async function compareAll(measurements: readonly Measurement[]): Promise<string[][]> {
  const rows: string[][] = [];
  for (const [what, of, prepare] of measurements)
    rows.push(...(await compare(of, prepare)).map((cells) => [what, ...cells]));
  return rows;
}

/** @returns for each player its name, its milliseconds, and how many times as fast the first one is */
async function compare(players: Players, prepare: Prepare): Promise<string[][]> {
  const runs: (() => Promise<unknown>)[] = [];
  for (const [, backend] of players) runs.push(await prepare(backend));
  for (const run of runs) await run();
  const turns = runs.map((): number[][] => []);
  for (let round = 0; round < options.rounds; round++)
    for (const [i, run] of runs.entries()) turns[i]!.push(await timedRuns(run, secondsOfTurn));
  return players.map(([player], i) => [
    player,
    digits(median(turns[i]!.flat())),
    ratio(spread(pairwiseRatios(turns[0]!, turns[i]!))),
  ]);
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

/** Where a run's time goes on WebAssembly: ops, how many nodes they are, and their milliseconds. */
async function opsOf(executable: WasmExecutable, run: (step: number) => Promise<void>): Promise<string[][]> {
  for (let step = 1; step <= options.rounds; step++) await run(step);
  const { runs, ops } = executable.profile();
  return ops
    .slice(0, 12)
    .map(({ op, nodes, milliseconds }) => [op, String(nodes), digits(milliseconds / runs)]);
}
