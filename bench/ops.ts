// Where a training step's time goes, and how far each op is from what the machine could do: npm run bench:ops
import { type Executable, cpuBackend, nodeWebGpuBackend } from 'rectiflow';
import { caseByName, caseNames, type VariantName, variants } from './cases.ts';
import { memoryBandwidth, sustainedPeak } from './machine.ts';
import { opTable } from './op-table.ts';
import { readOptions } from './options.ts';
import { optionsOf } from './players.ts';
import { median } from './statistics.ts';
import { digits } from './table.ts';
import { prepareStep, prepareStepOn } from './training-step.ts';

const ours = ['bf16', 'fp32', 'avx2-fp32', 'bf16-1'] as const satisfies readonly VariantName[];

const usage = `npm run bench:ops -- [CASE ...] [--variants A,B] [--rounds N] [--threads N] [--backend NAME] [--quick]

  CASE        ${caseNames.join(', ')}; s-256 by default
  --variants  ${ours.join(', ')}; bf16 by default
  --rounds    steps to measure (5)
  --threads   one per core by default
  --backend   cpu, by default; or webgpu, on the GPU of this machine
  --quick     two steps`;

const options = readOptions({
  usage,
  names: caseNames,
  defaultNames: ['s-256'],
  variants: ours,
  rounds: 5,
  quickRounds: 2,
});

for (const name of options.names) {
  if (options.backend === 'webgpu') await measureGpu(name);
  else for (const variant of (options.variants ?? ['bf16']) as VariantName[]) await measure(name, variant);
}

async function measure(name: string, variant: VariantName): Promise<void> {
  const settings = optionsOf(variants[variant], options.threads);
  const peaks = {
    bf16: await sustainedPeak({ ...settings, precision: 'bf16' }),
    fp32: await sustainedPeak({ ...settings, precision: 'fp32' }),
    bandwidth: await memoryBandwidth(settings.threads!),
  };
  const { title, config } = caseByName(name);
  console.error(`${name}: ${variants[variant].label}, ${options.rounds} steps`);
  const { executable, run } = await prepareStep(config, settings);
  await run();
  const before = executable.profile();
  const began = performance.now();
  for (let step = 0; step < options.rounds; step++) await run();
  const wall = (performance.now() - began) / options.rounds;
  const nodes = executable.profile().nodes.map(({ node, milliseconds }, i) => ({
    node,
    milliseconds: (milliseconds - before.nodes[i]!.milliseconds) / options.rounds,
  }));
  const lines = [
    `**${name}**: ${title}; ${cpuBackend(settings).describe()}`,
    '',
    `Peak ${digits(peaks.bf16 / 1e9)} GFLOP/s in bf16, ${digits(peaks.fp32 / 1e9)} in fp32; memory ${digits(peaks.bandwidth / 1e9)} GB/s.`,
    'A share of the roofline above 100% means that operands were in a cache.',
    '',
    ...opTable(nodes, wall, peaks),
    '',
  ];
  console.log(lines.join('\n'));
}

/** On the GPU, by its own clock. What one dispatch does for several nodes counts for the first of them. */
async function measureGpu(name: string): Promise<void> {
  const { title, config } = caseByName(name);
  const backend = await nodeWebGpuBackend({ precision: 'auto' });
  try {
    const peak = await backend.measurePeak!();
    console.error(`${name}: ${backend.describe()}, ${options.rounds} steps`);
    const { executable, inputs, compileAgain, compiled: cold } = await prepareStepOn(backend, config);
    const warm = await compileAgain();
    // The first run is timed by itself, piece by piece.
    for (let step = 1; step <= 2; step++) await runAndWait(executable, inputs(step));
    const handedOver: number[] = [];
    const began = performance.now();
    for (let step = 0; step < options.rounds; step++)
      handedOver.push(await runAndWait(executable, inputs(3 + step)));
    const wall = (performance.now() - began) / options.rounds;
    const { nodes } = await executable.profile(inputs(3 + options.rounds));
    const lines = [
      `**${name}**: ${title}; ${backend.describe()}`,
      '',
      `Peak ${digits(peak / 1e9)} GFLOP/s in fp32. ${executable.dispatches} dispatches of ${executable.shaders} shaders, handed over in ` +
        `${digits(median(handedOver))} ms. Compiled in ${digits(cold)} ms, and in ${digits(warm)} ms once its shaders are known.`,
      '',
      ...opTable(nodes, wall, { bf16: peak, fp32: peak, bandwidth: NaN }),
      '',
    ];
    console.log(lines.join('\n'));
  } finally {
    await backend.dispose();
  }
}

/** @returns milliseconds until the run was handed over, which is what JavaScript has to do for it */
async function runAndWait(executable: Executable, inputs: Parameters<Executable['run']>[0]): Promise<number> {
  const began = performance.now();
  await executable.run(inputs);
  const handedOver = performance.now() - began;
  await executable.read(['loss']);
  return handedOver;
}
