import { checkAdvice } from '../../data/check-advice.ts';
import { checkSamples } from '../../data/check.ts';
import type { DataReport } from '../../data/data-report.ts';
import { selectSamples } from '../../data/source-view.ts';
import type { Source } from '../../data/source.ts';
import { describeRange } from '../../train/monitor/data-range.ts';
import { isPicture } from '../../train/sample-grid.ts';
import type { Check } from './check.ts';

/** Samples that are read; `rectiflow data check` reads all. */
const mostSamples = 1000;

export interface DataCheckOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Reads samples from all over the set: whether they can be read, their ranges and labels. */
export async function checkSource(source: Source, options: DataCheckOptions = {}): Promise<Check[]> {
  const isWhole = source.count <= mostSamples;
  const report = await checkSamples(isWhole ? source : spread(source, mostSamples), options);
  const { name, unreadable, values } = report;
  const count = `${name}, ${grouped(source.count)} samples${isWhole ? '' : `, ${grouped(mostSamples)} of them read`}`;
  if (unreadable.count > 0) {
    const text = `${count}: ${unreadable.count} cannot be read. The first: ${unreadable.problems[0]}`;
    return [{ name: 'data', status: 'fail', text }];
  }
  const opened: Check[] = [
    { name: 'data', status: 'ok', text: count },
    { name: 'told', status: 'ok', text: report.told },
  ];
  const advice = adviceOn(report, isWhole).map((text): Check => ({ name: 'data', status: 'warn', text }));
  return [...opened, ...(values ? [checkRange(values, source)] : []), ...advice];
}

function checkRange(values: NonNullable<DataReport['values']>, { shape, record }: Source): Check {
  const { least, most, mean } = values;
  const arePictures = isPicture(shape, record);
  // A single NaN or infinity makes the mean so.
  const problem = Number.isFinite(mean)
    ? describeRange({ ...values, arePictures }, 'the set')
    : 'some values are NaN or infinite: find the samples that hold them, and remove or correct them';
  if (problem !== undefined) return { name: 'values', status: 'fail', text: problem };
  return { name: 'values', status: 'ok', text: `from ${least.toPrecision(3)} to ${most.toPrecision(3)}` };
}

function grouped(count: number): string {
  return count.toLocaleString('en');
}

/** A class may well be missing among a part of the samples. */
function adviceOn(report: DataReport, isWhole: boolean): readonly string[] {
  if (isWhole) return report.advice;
  const { classes: _, ...withoutClasses } = report;
  return checkAdvice(withoutClasses);
}

/** As many samples as `count`, equally far apart. */
function spread(source: Source, count: number): Source {
  return selectSamples(source, count, (index) => Math.floor((index * source.count) / count));
}
