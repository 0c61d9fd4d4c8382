import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readMetrics } from '../runs/metrics-log.ts';
import type { MetricsRecord } from '../kept/metrics-lines.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import { histogramsOf } from '../sinks/histogram.ts';
import type { RemoteEvent } from '../sinks/remote-sink.ts';
import { pictureTags } from '../kept/layout.ts';
import type { StepMetrics } from '../train/metrics.ts';
import { scalarsOf, spreadsOf } from './scalars.ts';

/**
 * What a run's folder has of what sinks were told of its steps up to `last`: numbers and pictures, in the order of the steps. When
 * they were logged is told by the time that training had taken until then.
 */
export async function loggedEvents(folder: RunFolder, last: number): Promise<RemoteEvent[]> {
  const { records } = existsSync(folder.metricsPath)
    ? await readMetrics(folder.metricsPath)
    : { records: [] };
  const logged = records.filter(({ step }) => step <= last).map(metricsOf);
  const began = Date.now() - 1000 * (logged.at(-1)?.seconds ?? 0);
  const numbers = logged.flatMap((metrics): RemoteEvent[] => {
    const at = { step: metrics.step, time: Math.round(began + 1000 * metrics.seconds) };
    return [
      { ...at, kind: 'scalars', values: scalarsOf(metrics) },
      { ...at, kind: 'histograms', values: histogramsOf(spreadsOf(metrics)) },
    ];
  });
  const files = await readdir(folder.samples).catch(() => []);
  const pictures = files.flatMap((name): RemoteEvent[] => {
    const [, digits, what = 'grid'] = /^step-(\d+)(?:-(path|sizes))?\.png$/.exec(name) ?? [];
    const step = Number(digits ?? Infinity);
    if (step > last) return [];
    const time = numbers.findLast((event) => event.step <= step)?.time ?? Math.round(began);
    const tag = pictureTags[what as keyof typeof pictureTags];
    return [{ kind: 'image', step, time, tag, path: join(folder.samples, name) }];
  });
  return [...numbers, ...pictures].toSorted((one, other) => one.step - other.step);
}

/** Lines of earlier versions may lack some numbers; NaN and infinities are written by their names. */
function metricsOf(record: MetricsRecord): StepMetrics {
  const revived: unknown = JSON.parse(JSON.stringify(record), (_, value: unknown) =>
    value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value,
  );
  return {
    lossByTime: [],
    gradNormByBlock: {},
    seconds: 0,
    ...(revived as object),
  } as unknown as StepMetrics;
}
