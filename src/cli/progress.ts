import type { StepMetrics } from '../train/metrics.ts';
import { formatDuration, formatInteger, formatValue } from './format.ts';
import { describeRanks, namedParts } from './metrics-view.ts';
import { type Output, redraw, writeLines } from './print.ts';

export interface ProgressOptions {
  readonly output: Output;
  readonly steps: number;
  /** The last step that is as fast as the first, and how many such steps those after it are worth; all steps by default. */
  readonly until?: number | undefined;
  readonly later?: number | undefined;
  /** Milliseconds; replaced in tests. */
  readonly now?: () => number;
}

const plainIntervalMs = 10_000;
/** A terminal that is redrawn for every one of a thousand steps per second would slow them. */
const redrawIntervalMs = 50;
const barWidth = 24;
/** The share of the time that steps wait for data from which on one may want to do something about it. */
const notableWait = 0.05;

/** Shows how training goes: a bar on a terminal, else a line now and then. */
export class Progress {
  readonly #output: Output;
  readonly #steps: number;
  readonly #now: () => number;
  /** Where the run ends, were all of its steps as fast as these. */
  readonly #end: number;
  /** The step shown first, and when: until then the first batch was waited for, and kernels were measured. */
  #first: { readonly step: number; readonly at: number } | undefined;
  #shown = -Infinity;
  #line = '';

  constructor({ output, steps, until = steps, later = 0, now = () => performance.now() }: ProgressOptions) {
    this.#end = until + later;
    this.#output = output;
    this.#steps = steps;
    this.#now = now;
  }

  update(metrics: StepMetrics): void {
    const { isTTY = false, columns = 80 } = this.#output;
    const isLast = metrics.step === this.#steps;
    if (!isLast && this.#now() - this.#shown < (isTTY ? redrawIntervalMs : plainIntervalMs)) return;
    this.#shown = this.#now();
    const count = `${formatInteger(metrics.step)}/${formatInteger(this.#steps)}`;
    const parts = this.#describe(metrics);
    if (isTTY) {
      this.#line = fit([this.#bar(metrics.step), count, ...parts], columns);
      redraw(this.#output, this.#line);
    } else writeLines(this.#output, [`step ${count}  ${parts.join('  ')}`]);
  }

  /** Prints a line of its own, above the bar. */
  say(text: string): void {
    if (this.#line !== '') redraw(this.#output);
    writeLines(this.#output, [text]);
    if (this.#line !== '') redraw(this.#output, this.#line);
  }

  /** Leaves the bar as it is and goes to the next line. */
  end(): void {
    if (this.#line !== '') writeLines(this.#output, ['']);
    this.#line = '';
  }

  /** The most important first: a narrow terminal drops the last. */
  #describe(metrics: StepMetrics): string[] {
    const { step, lossParts, learningRate, gradNorm, samplesPerSecond, dataWait } = metrics;
    const first = (this.#first ??= { step, at: this.#now() });
    const isFirst = step === first.step;
    const perStep = (this.#now() - first.at) / 1000 / (step - first.step);
    const hasEstimate = !isFirst && step < this.#steps;
    const left = hasEstimate ? [`${formatDuration(perStep * (this.#end - step))} left`] : [];
    const ranks = describeRanks(metrics);
    const waits = dataWait > notableWait && !isFirst;
    return [
      describeLoss(metrics),
      ...left,
      `${formatValue(samplesPerSecond)} samples/s`,
      ...(ranks === undefined ? [] : [ranks]),
      ...(waits ? [`waiting for data ${Math.round(100 * dataWait)} %`] : []),
      `learning rate ${formatValue(learningRate)}`,
      ...(lossParts ? namedParts(lossParts) : []),
      `gradient norm ${formatValue(gradNorm)}`,
    ];
  }

  #bar(step: number): string {
    const filled = Math.floor((barWidth * step) / this.#steps);
    return '█'.repeat(filled) + '░'.repeat(barWidth - filled);
  }
}

/** Sizes of which each has a number of its own in the line. */
const mostSizes = 4;

/** `loss 0.123`, and of data at several sizes of which samples that is: `loss 32x32 0.131, 64x64 0.118` */
function describeLoss({ loss, size, lossBySize = {} }: StepMetrics): string {
  if (size === undefined) return `loss ${formatValue(loss)}`;
  const sizes = Object.entries(lossBySize);
  if (sizes.length > mostSizes) return `loss ${formatValue(loss)} at ${size}`;
  return `loss ${sizes.map(([name, mean]) => `${name} ${formatValue(mean)}`).join(', ')}`;
}

/** As many of the parts as a line holds. */
function fit(parts: readonly string[], columns: number): string {
  let line = parts[0]!;
  for (const part of parts.slice(1)) {
    if (line.length + 2 + part.length >= columns) break;
    line += `  ${part}`;
  }
  return line;
}
