import type { StepMetrics } from '../train/metrics.ts';
import { timeBins } from '../train/step-outputs.ts';

/** What of a logged step has a curve of its own, by tag; what precedes a slash is the group that it is shown in. */
export function scalarsOf(metrics: StepMetrics): Record<string, number> {
  const tags: Record<string, number | null | undefined> = {
    'train/loss': metrics.loss,
    'train/learning_rate': metrics.learningRate,
    'train/grad_norm': metrics.gradNorm,
    'train/update_ratio': metrics.updateRatio,
    'train/ema_distance': metrics.emaDistance,
    ...Object.fromEntries(
      (metrics.lossByTime ?? []).map((loss, bin) => [`loss_by_time/${nameTimes(bin)}`, loss]),
    ),
    ...tagged('loss_by_size', metrics.lossBySize),
    'loss_parts/reconstruction': metrics.lossParts?.reconstruction,
    'loss_parts/kl': metrics.lossParts?.kl,
    'held_out/loss': metrics.heldOutLoss,
    'held_out/loss_ema': metrics.heldOutLossEma,
    'held_out/loss_unconditional': metrics.heldOutLossUnconditional,
    'held_out/trained_loss': metrics.trainedLoss,
    ...tagged('held_out_by_size', metrics.heldOutLossBySize),
    'held_out/l1': metrics.heldOutL1,
    'held_out/psnr': metrics.heldOutPsnr,
    'train/samples_per_second': metrics.samplesPerSecond,
    'train/data_wait': metrics.dataWait,
    'ranks/computing_seconds': metrics.computing,
    'ranks/communication_seconds': metrics.communication,
    'ranks/efficiency': metrics.efficiency,
    'ranks/slowest': metrics.slowestRank,
    'ranks/slowdown': metrics.slowdown,
    'machine/mfu': metrics.mfu,
    'machine/memory_bytes': metrics.memory,
    'machine/peak_memory_bytes': metrics.peakMemory,
  };
  const isKnown = (tag: [string, number | null | undefined]): tag is [string, number] => tag[1] != null;
  return Object.fromEntries(Object.entries(tags).filter(isKnown));
}

function tagged(group: string, values: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${group}/${name}`, value]));
}

/** What of it has a histogram, by tag: the values whose spread is shown. */
export function spreadsOf({ gradNormByBlock }: StepMetrics): Record<string, number[]> {
  return { 'train/grad_norm_by_block': Object.values(gradNormByBlock) };
}

/** `0.25-0.5` */
function nameTimes(bin: number): string {
  return `${bin / timeBins}-${(bin + 1) / timeBins}`;
}
