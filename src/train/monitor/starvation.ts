import type { Detector } from './detector.ts';
import { mean, percent } from './statistics.ts';

/** Logged steps that are averaged; the first of a process waits for its first batch in any case. */
const averaged = 5;
const most = 0.2;

/** Seconds of training before that: in a run of a moment nothing has caught up yet. */
const patience = 2;

/** Steps wait for their data. */
export const starvation: Detector = (readings) => {
  const recent = readings.slice(1).slice(-averaged);
  if (recent.length < averaged) return undefined;
  const wait = mean(recent.map(({ dataWait }) => dataWait));
  if (wait <= most || recent.at(-1)!.seconds < patience) return undefined;
  return (
    `Steps wait for data ${percent(wait)} of the time. Raise loader.workers and loader.prefetch, give loader.cacheMiB the size of the decoded set, ` +
    'or decode once and for all (rectiflow data pack).'
  );
};
