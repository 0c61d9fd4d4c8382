import type { RunFolder } from '../runs/run-folder.ts';
import { EventLog } from './event-file.ts';
import type { MetricSink } from './metric-sink.ts';

/** Event files in the run's folder. A failure is told as `EventLog` does. */
export function tensorboardSink(folder: RunFolder, onNotice: (text: string) => void): MetricSink {
  let log: EventLog;
  const open = async (step: number): Promise<void> => {
    log = await EventLog.open(folder.path, step, (problem) => onNotice(problem.message));
  };
  return {
    name: 'TensorBoard',
    start: ({ step }) => open(step),
    goBack: async (step) => {
      await log.close();
      await open(step);
    },
    scalars: (step, values) => log.addScalars(step, values),
    histograms: (step, values) => log.addHistograms(step, values),
    image: (step, tag, path) => log.addImage(step, tag, path),
    notice: (step, text) => log.addText(step, 'notices', text),
    sync: () => log.sync(),
    end: () => log.close(),
  };
}
