import { existsSync } from 'node:fs';
import { type MetricsRecord, readMetrics } from '../runs/metrics-log.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import { histogramsOf } from '../sinks/histogram.ts';
import type { RemoteEvent } from '../sinks/remote-sink.ts';
import { pictureTags } from './gallery.ts';
import type { StepMetrics } from './metrics.ts';
import { scalarsOf, spreadsOf } from './scalars.ts';

/**
 * What a run's folder has of what sinks were told of its steps up to `last`: numbers and pictures, in the order of the steps. When
 * they were logged is told by the time that training had taken until then.
 */
export async function loggedEvents(folder: RunFolder, last: number): Promise<RemoteEvent[]> {
  if (!existsSync(folder.metricsPath)) return [];
  const { records } = await readMetrics(folder.metricsPath);
  const logged = records.filter(({ step }) => step <= last).map(metricsOf);
  const now = Date.now();
  const end = logged.at(-1)?.seconds ?? 0;
  return logged.flatMap((metrics): RemoteEvent[] => {
    const { step } = metrics;
    const at = { step, time: Math.round(now - 1000 * (end - metrics.seconds)) };
    const pictures = [
      [pictureTags.grid, folder.samplePath(step)],
      [pictureTags.path, folder.stripPath(step)],
    ] as const;
    return [
      { ...at, kind: 'scalars', values: scalarsOf(metrics) },
      { ...at, kind: 'histograms', values: histogramsOf(spreadsOf(metrics)) },
      ...pictures
        .filter(([, path]) => existsSync(path))
        .map(([tag, path]) => ({ ...at, kind: 'image', tag, path }) as const),
    ];
  });
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
