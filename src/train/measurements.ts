// What runs beside the training step, when a step is logged.
import type { Disposable } from '../backends/backend.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { HeldOut } from './held-out.ts';
import { Insight } from './insight.ts';
import type { PreparedTraining } from './prepare.ts';
import { optimizersOf } from './run-program.ts';

export interface Measurements extends Disposable {
  readonly insight: Insight;
  /** Where samples are kept out of training. */
  readonly heldOut: HeldOut | undefined;
}

/** @param onNotice is told of held-out samples that cannot be read */
export async function compileMeasurements(
  training: PreparedTraining,
  onNotice: (text: string) => void,
): Promise<Measurements> {
  const { config, backend, buffers, model, split, share, communicator } = training;
  const groups = optimizersOf(config.optimizer);
  const insight = await Insight.compile(backend, buffers, model, groups, share.own, communicator);
  try {
    const heldOut = split && (await HeldOut.compile({ ...training, split, onNotice }));
    return { insight, heldOut, dispose: () => disposeAll(heldOut ? [insight, heldOut] : [insight]) };
  } catch (error) {
    await insight.dispose();
    throw error;
  }
}
