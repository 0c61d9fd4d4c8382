// What runs beside the training step, when a step is logged.
import { HeldOut } from './held-out.ts';
import { Insight } from './insight.ts';
import type { PreparedTraining } from './prepare.ts';
import { adamwSettings } from './run-program.ts';

export interface Measurements {
  readonly insight: Insight;
  /** Where samples are kept out of training. */
  readonly heldOut: HeldOut | undefined;
}

/** @param onNotice is told of held-out samples that cannot be read */
export async function compileMeasurements(
  training: PreparedTraining,
  onNotice: (text: string) => void,
): Promise<Measurements> {
  const { config, backend, buffers, model, split } = training;
  const { decayed } = config.optimizer;
  const adamw = adamwSettings(config.optimizer);
  const insight = await Insight.compile(backend, buffers, { model, adamw, decayed });
  return { insight, heldOut: split && (await HeldOut.compile({ ...training, split, onNotice })) };
}
