import { describeTokens } from '../../check/caption-census.ts';
import { checkFindings } from '../../check/check-advice.ts';
import { type CheckOptions, checkSamples } from '../../check/check.ts';
import { describePerChannel } from '../../data/latents.ts';
import type { DataReport, Finding } from '../../check/data-report.ts';
import { selectSamples } from '../../data/source-view.ts';
import type { Source } from '../../data/source.ts';
import type { Check } from './check.ts';
import { counted, grouped } from '../../tensor/counted.ts';

/** Samples that are read; `rectiflow data check` reads all. */
const mostSamples = 1000;

/** Reads samples from all over the set, and looks at them as `rectiflow data check` does. */
export async function checkSource(source: Source, options: CheckOptions = {}): Promise<Check[]> {
  const isWhole = source.count <= mostSamples;
  const report = await checkSamples(isWhole ? source : spread(source, mostSamples), options);
  const { name, unreadable, values, captions } = report;
  const count = `${name}, ${counted(source.count, 'sample')}${isWhole ? '' : `, ${grouped(mostSamples)} of them read`}`;
  const findings = isWhole ? report.findings : findingsOfPart(report, options);
  const unread = `${count}: ${unreadable.count} cannot be read. The first: ${unreadable.problems[0]}`;
  const unusable = findings.find(({ about, status }) => about === 'data' && status === 'fail');
  if (unusable) {
    const text = unreadable.count > 0 ? unread : `${count}: ${unusable.text}`;
    return [{ name: 'data', status: 'fail', text }];
  }
  const fine: Check[] = [
    { name: 'data', status: 'ok', text: count },
    { name: 'told', status: 'ok', text: report.told },
  ];
  if (captions?.tokens) fine.push({ name: 'captions', status: 'ok', text: describeTokens(captions.tokens) });
  if (values && !findings.some(({ about }) => about === 'values'))
    fine.push({ name: 'values', status: 'ok', text: describeValues(values, report.latents) });
  return [...fine, ...findings.map(({ about, status, text }) => ({ name: about, status, text }))];
}

function describeValues(
  { least, most, mean, deviation }: NonNullable<DataReport['values']>,
  latents: DataReport['latents'],
): string {
  const range = `from ${least.toPrecision(3)} to ${most.toPrecision(3)}`;
  if (latents === undefined) return range;
  const { autoencoder, scale, shift } = latents;
  const of = autoencoder === undefined ? '' : ` of the autoencoder ${autoencoder.slice(0, 12)}`;
  const seen = `mean ${mean.toPrecision(2)}, deviation ${deviation.toPrecision(3)}`;
  return `the model sees latents${of} ${range}, ${seen}, by scale ${describePerChannel(scale)} and shift ${describePerChannel(shift)}`;
}

/** A class may well be missing among a part of the samples. */
function findingsOfPart(report: DataReport, options: CheckOptions): readonly Finding[] {
  const { classes: _, ...withoutClasses } = report;
  return checkFindings(withoutClasses, options);
}

/** As many samples as `count`, equally far apart. */
function spread(source: Source, count: number): Source {
  return selectSamples(source, count, (index) => Math.floor((index * source.count) / count));
}
