// What of a run's numbers is worth a line.
import type { StepMetrics } from '../train/metrics.ts';
import { formatBytes, formatInteger, formatValue } from './format.ts';

/** Numbers of a logged step, of which runs of older versions lack some. */
type Known = Partial<StepMetrics>;

/** What a line is about, and what it says. */
export type NamedLine = readonly [name: string, text: string];

/** A share of the time that is worth a word. */
const notableWait = 0.005;

/** Lines of the end of a run. */
export function describeOutcome(metrics: Known): NamedLine[] {
  return known([
    ['loss', describeLossParts(metrics)],
    ['held out', describeHeldOut(metrics)],
    ['speed', describeSpeed(metrics)],
  ]);
}

/**
 * Lines of `info`.
 * @param evaluated the last step whose held-out loss is known
 */
export function describeNumbers(last: Known, evaluated: Known | undefined): NamedLine[] {
  return known([
    ['loss by t', describeLossByTime(last)],
    ['loss by size', describeSizes(last.lossBySize)],
    ['loss', describeLossParts(last)],
    ['step', describeStep(last)],
    ['held out', evaluated && `${describeHeldOut(evaluated)}, at step ${formatInteger(evaluated.step!)}`],
    ['speed', describeSpeed(last)],
  ]);
}

function known(lines: readonly (readonly [string, string | undefined])[]): NamedLine[] {
  return lines.filter((line): line is NamedLine => Boolean(line[1]));
}

/** `32x32 0.131, 64x64 0.118` */
function describeSizes(losses: Readonly<Record<string, number>> | undefined): string | undefined {
  const shown = Object.entries(losses ?? {}).map(([size, loss]) => `${size} ${formatValue(loss)}`);
  return shown.join(', ') || undefined;
}

/** From data to noise. */
function describeLossByTime({ lossByTime }: Known): string | undefined {
  const shown = lossByTime?.map((loss) => (loss === null ? '-' : formatValue(loss)));
  return shown && `${shown.join(', ')}, from data to noise`;
}

/** Of an autoencoder. */
function describeLossParts({ lossParts }: Known): string | undefined {
  return lossParts && namedParts(lossParts).join(', ');
}

/** `reconstruction 0.0512`, `KL 2.31` */
export function namedParts({ reconstruction, kl }: Required<Known>['lossParts']): string[] {
  return [`reconstruction ${formatValue(reconstruction)}`, `KL ${formatValue(kl)}`];
}

function describeStep({ gradNorm, updateRatio, emaDistance }: Known): string | undefined {
  if (gradNorm === undefined || updateRatio === undefined || emaDistance === undefined) return undefined;
  const parts = [
    `gradient norm ${formatValue(gradNorm)}`,
    `changes ${formatValue(updateRatio)} of the weights`,
    `EMA ${formatValue(emaDistance)} away from them`,
  ];
  return parts.join(', ');
}

function describeHeldOut(metrics: Known): string | undefined {
  const { heldOutLoss, heldOutLossEma, heldOutLossUnconditional, trainedLoss } = metrics;
  const { heldOutPsnr, heldOutL1 } = metrics;
  if (heldOutLoss === undefined || heldOutLossEma === undefined || trainedLoss === undefined)
    return undefined;
  const parts = [
    `loss ${formatValue(heldOutLoss)}`,
    `with EMA weights ${formatValue(heldOutLossEma)}`,
    ...(heldOutLossUnconditional === undefined
      ? []
      : [`without conditions ${formatValue(heldOutLossUnconditional)}`]),
    `on samples of the training ${formatValue(trainedLoss)}`,
    ...(metrics.heldOutLossBySize ? [`by size ${describeSizes(metrics.heldOutLossBySize)}`] : []),
    ...(heldOutPsnr === undefined ? [] : [`PSNR ${heldOutPsnr.toFixed(1)} dB`]),
    ...(heldOutL1 === undefined ? [] : [`mean absolute error ${formatValue(heldOutL1)}`]),
  ];
  return parts.join(', ');
}

/** `4 ranks, 93 % efficient`, of a run of several ranks. */
export function describeRanks({ ranks, efficiency }: Known): string | undefined {
  return ranks === undefined || efficiency === undefined
    ? undefined
    : `${ranks} ranks, ${percent(efficiency)} efficient`;
}

function describeSpeed(metrics: Known): string {
  const { samplesPerSecond, mfu, dataWait, peakMemory } = metrics;
  const ranks = describeRanks(metrics);
  const parts = [
    ...(samplesPerSecond === undefined ? [] : [`${formatValue(samplesPerSecond)} samples/s`]),
    ...(ranks === undefined ? [] : [ranks]),
    ...(mfu === undefined ? [] : [`${percent(mfu)} of the peak of the machine`]),
    ...(dataWait !== undefined && dataWait > notableWait ? [`${percent(dataWait)} waiting for data`] : []),
    ...(peakMemory === undefined ? [] : [`${formatBytes(peakMemory)} of memory at most`]),
  ];
  return parts.join(', ');
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
