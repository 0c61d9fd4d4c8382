// A run on more ranks, as people read it.
import type { ScalePlan } from '../api/plan/ranks/scaling.ts';
import { counted } from '../tensor/counted.ts';
import { formatBytes, formatInteger, formatTable, formatValue } from './format.ts';
import { formatSeconds, indent, percent } from './plan-format.ts';

/** @param machine what each rank, or some of them, are on: `a machine like this` */
export function describeScale(scale: ScalePlan, machine: string): string[] {
  const { link, ranksPerHost, shards, wire, rows } = scale;
  const where = ranksPerHost === 1 ? `each on ${machine}` : `${ranksPerHost} on ${machine}`;
  const gradients = wire === 'bf16' ? ', gradients in bf16' : '';
  return [
    `This run on ranks, ${where}, joined by ${link.name} with ${formatValue(1e6 * link.latency)} µs from one to another; ` +
      `${counted(shards, 'shard')}${gradients}:`,
    ...formatTable([
      [
        'ranks',
        'machines',
        'a step',
        'samples/s',
        'efficiency',
        'of it communication',
        'a rank sends',
        'its state',
      ],
      ...rows.map(({ ranks, machines, cost, samplesPerSecond, efficiency, state }) => [
        formatInteger(ranks),
        formatInteger(machines),
        formatSeconds(cost.total),
        formatValue(samplesPerSecond),
        percent(efficiency),
        percent(cost.communication / cost.total),
        formatBytes(cost.sent),
        formatBytes(state),
      ]),
    ]).map(indent),
    ...describeLimits(scale).map(indent),
  ];
}

function describeLimits({ belowHalf, lastDoubling, rows, shards, remedies }: ScalePlan): string[] {
  const most = rows.at(-1)!.ranks;
  const limits = [
    ...(belowHalf === undefined
      ? []
      : [`From ${formatInteger(belowHalf)} ranks on less than half of the machines' time is put to use.`]),
    ...(lastDoubling === undefined
      ? []
      : [
          `${formatInteger(2 * lastDoubling)} ranks are less than 1.3 times as fast as ${formatInteger(lastDoubling)}.`,
        ]),
  ];
  const none = `All of them pay, up to as many ranks as there are shards, ${formatInteger(shards)}.`;
  const better = remedies.map(({ what, efficiency }) => `${what}: ${percent(efficiency)}`);
  return [
    ...(limits.length > 0 ? limits : [none]),
    ...(better.length > 0 ? [`${counted(most, 'rank')} would reach more with ${better.join('; ')}.`] : []),
  ];
}
