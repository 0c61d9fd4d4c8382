// A plan as people read it.
import type { MachinePlan } from '../api/plan/elsewhere.ts';
import type { RunPlan } from '../api/plan/result.ts';
import type { StagePlan } from '../api/plan/stages.ts';
import { bytesTaken } from '../train/memory-estimate.ts';
import { counted } from '../tensor/counted.ts';
import { formatSeconds, indent, percent } from './plan-format.ts';
import { describeDevice, listParts } from './memory-view.ts';
import { describeScale } from './scale-view.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatFlops,
  formatInteger,
  formatTable,
  formatValue,
} from './format.ts';

export function describePlan(plan: RunPlan): string[] {
  return [
    ...describeRun(plan),
    '',
    ...(plan.stages ? describeStages(plan, plan.stages) : describeTime(plan)),
    '',
    ...describeMemory(plan),
    '',
    ...describeDisk(plan),
    '',
    ...describeMachines(plan),
    ...describeSizes(plan),
    '',
    ...describeRanks(plan),
    ...(plan.scale ? ['', ...describeScale(plan.scale, machineName(plan.basis.machine))] : []),
    '',
    'Assumed, not measured:',
    ...plan.assumptions.map((text) => `  ${text}.`),
    '',
    describeTotal(plan),
  ];
}

function describeRun({ name, data, model, training, backend, flops }: RunPlan): string[] {
  const { batchSize, microBatch, steps } = training;
  const parts = microBatch < batchSize ? `, ${formatInteger(microBatch)} at a time` : '';
  const waiting =
    data.waiting === undefined ? '' : `; steps waited for data ${percent(data.waiting)} of the time`;
  return [
    name,
    `  data      ${data.name}, ${counted(data.samples, 'sample')}, seen ${formatValue(data.epochs)} times`,
    `  loading   ${formatValue(data.loading)} samples/s on its own, training asks for ${formatValue(data.needed)}${waiting}`,
    `  model     ${formatCount(model.parameters)} parameters`,
    `  steps     ${formatInteger(steps)} of ${counted(batchSize, 'sample')}${parts}`,
    `  backend   ${backend}`,
    `  FLOPs     ${formatFlops(flops.forward)} forward, ${formatFlops(flops.training)} in training a sample; ${formatFlops(flops.step)} a step, ${formatFlops(flops.total)} in all`,
  ];
}

function describeTime({ time, training: work }: RunPlan): string[] {
  const rows: [name: string, count: number, seconds: number][] = [
    ['steps', work.steps, time.step],
    ['logged steps', work.logged, time.logging],
    ['held-out losses', work.heldOut, time.heldOut],
    ['grids of samples', work.grids, time.grid],
    ['checkpoints', work.checkpoints, time.checkpoint],
  ];
  const listed = rows
    .filter(([, count]) => count > 0)
    .map(([name, count, each]) => [
      name,
      formatInteger(count),
      formatSeconds(each),
      formatDuration(count * each),
    ]);
  const share =
    time.utilisation === undefined ? '' : `, ${percent(time.utilisation)} of what products reach here`;
  return [
    `Time on this machine: ${time.how}.`,
    ...formatTable([
      ['', 'times', 'each', 'in all'],
      ['start', '1', formatSeconds(time.start), formatDuration(time.start)],
      ...listed,
      ['in all', '', '', formatDuration(time.total)],
    ]).map(indent),
    `  Steps make ${formatFlops(time.speed)}/s${share}.`,
  ];
}

function describeStages({ time }: RunPlan, stages: readonly StagePlan[]): string[] {
  const rows = stages.map(({ imageSize, patchSize, plan }) => [
    `${imageSize.join('x')}/${patchSize}`,
    formatInteger(plan.training.steps),
    formatInteger(plan.training.batchSize),
    formatSeconds(plan.time.step),
    formatDuration(plan.time.beside + plan.time.start),
    formatDuration(plan.time.total),
    formatBytes(bytesTaken(plan.memory.estimate)),
  ]);
  return [
    'Time on this machine, by stages:',
    ...formatTable([
      ['image/patch', 'steps', 'batch', 'a step', 'beside steps', 'in all', 'memory'],
      ...rows,
      ['in all', '', '', '', formatDuration(time.beside + time.start), formatDuration(time.total), ''],
    ]).map(indent),
    ...stages.map(({ plan }, i) => `  Stage ${i + 1}: ${plan.time.how}.`),
  ];
}

function describeMemory({ memory }: RunPlan): string[] {
  const { estimate } = memory;
  const found = `${formatBytes(memory.available)} are free`;
  const ofDevice = describeDevice(estimate);
  return [
    `Memory on this machine: ${formatBytes(estimate.total)} (${listParts(estimate)}); ${found}.`,
    ...(ofDevice.length > 0 ? [`  On the GPU: ${ofDevice.join('; ')}.`] : []),
    ...(memory.fits ? [] : [`  It does not fit. ${memory.remedies.join(' ')}`]),
  ];
}

function describeDisk({ disk }: RunPlan): string[] {
  const others = (['averages', 'samples', 'metrics'] as const).flatMap((part) =>
    disk[part] > 0 ? `${part} ${formatBytes(disk[part])}` : [],
  );
  const parts = [`${counted(disk.kept, 'checkpoint')} of ${formatBytes(disk.checkpoint)}`, ...others].join(
    ', ',
  );
  return [
    `Disk: ${formatBytes(disk.total)} (${parts}), ${formatBytes(disk.most)} at most on the way; ${formatBytes(disk.free)} are free.`,
    ...(disk.most > disk.free ? ['  It does not fit. Lower train.keepCheckpoints, or clear the disk.'] : []),
  ];
}

function describeMachines({ machines, utilisation, training, time, memory }: RunPlan): string[] {
  const here = [
    'this one',
    time.utilisation === undefined ? '' : `${formatFlops(time.speed / time.utilisation)}/s`,
    training.precision,
    memory.estimate.device?.isSeparate ? 'not told' : formatBytes(memory.available),
    describeFit({
      needed: bytesTaken(memory.estimate),
      microBatch: training.microBatch,
      recompute: training.recompute,
    }),
    formatSeconds(time.step),
    formatValue(training.batchSize / time.step),
    memory.fits ? formatDuration(time.total) : 'does not fit',
  ];
  const rows = machines.map((machine) => [
    machine.name,
    `${formatFlops(machine.peak)}/s`,
    machine.precision,
    formatBytes(machine.memory),
    describeFit(machine),
    machine.microBatch === undefined ? '' : formatSeconds(machine.step),
    machine.microBatch === undefined ? '' : formatValue(training.batchSize / machine.step),
    machine.microBatch === undefined ? 'does not fit' : formatDuration(machine.total),
  ]);
  return [
    `This machine as measured, and others, one of each, at ${percent(utilisation)} of their peak:`,
    ...formatTable([['', 'peak', '', 'memory', 'taken', 'a step', 'samples/s', 'in all'], here, ...rows]).map(
      indent,
    ),
    ...machines.map(({ name, source }) => `  ${name}: ${source}.`),
  ];
}

/** `41 GiB, 64 at a time, recompute` */
function describeFit({
  needed,
  microBatch,
  recompute,
}: Pick<MachinePlan, 'needed' | 'microBatch' | 'recompute'>): string {
  const at = microBatch === undefined ? '' : `, ${formatInteger(microBatch)} at a time`;
  return `${formatBytes(needed)}${at}${recompute ? ', recompute' : ''}`;
}

function describeSizes({ sizes, basis }: RunPlan): string[] {
  if (sizes.length === 0) return [];
  return [
    '',
    `Other sizes, on ${machineName(basis.machine)} at ${formatFlops(basis.speed)}/s:`,
    ...formatTable([
      ['image/patch', 'tokens', 'a step', 'memory', 'a step', 'in all'],
      ...sizes.map(({ imageSize, patchSize, tokens, flops, memory, step, total }) => [
        `${imageSize}/${patchSize}`,
        formatInteger(tokens),
        formatFlops(flops),
        formatBytes(memory),
        formatSeconds(step),
        formatDuration(total),
      ]),
    ]).map(indent),
  ];
}

function describeRanks({ ranks, basis }: RunPlan): string[] {
  return [
    `Batches and ranks, each on ${machineName(basis.machine)}, joined by ${basis.link}; as many samples in all:`,
    ...formatTable([
      ['batch', 'ranks', 'a step', 'of it communication', 'samples/s', 'in all'],
      ...ranks.map(({ batchSize, ranks: count, step, communication, samplesPerSecond, total }) => [
        formatInteger(batchSize),
        String(count),
        formatSeconds(step),
        percent(communication / step),
        formatValue(samplesPerSecond),
        formatDuration(total),
      ]),
    ]).map(indent),
  ];
}

function describeTotal({ name, time, memory, disk, flops }: RunPlan): string {
  const fit = memory.fits ? '' : ' (more than there is)';
  return `${name} in all, on this machine: ${formatDuration(time.total)}, ${formatBytes(bytesTaken(memory.estimate))} of memory${fit}, ${formatBytes(disk.most)} of disk, ${formatFlops(flops.total)}.`;
}

function machineName(name: string): string {
  return name === 'this' ? 'a machine like this' : name;
}
