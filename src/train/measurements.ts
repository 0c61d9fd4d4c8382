// What runs beside the training step, after some of the steps.
import type { Disposable } from '../backends/backend.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { Gallery, type SampleWriter } from './gallery.ts';
import { HeldOut } from './held-out.ts';
import { Insight } from './insight.ts';
import type { PreparedTraining } from './prepare.ts';
import { SampleOrders } from './sample-orders.ts';
import { optimizersOf } from './run-program.ts';

export interface Measurements extends Disposable {
  readonly insight: Insight;
  /** Where samples are kept out of training. */
  readonly heldOut: HeldOut | undefined;
  /** Where samples are shown. */
  readonly gallery: Gallery | undefined;
  /** Samples that are asked for meanwhile. */
  readonly orders: SampleOrders;
}

/**
 * All ranks call it.
 * @param writer of samples, where there is one @param onNotice is told of held-out samples that cannot be read
 */
export async function openMeasurements(
  training: PreparedTraining,
  writer: SampleWriter | undefined,
  onNotice: (text: string) => void,
): Promise<Measurements> {
  const { config, backend, buffers, model, split, share, communicator } = training;
  const groups = optimizersOf(config.optimizer);
  const opened: Disposable[] = [];
  const dispose = (): Promise<void> => disposeAll(opened);
  const keep = <T extends Disposable>(each: T): T => {
    opened.push(each);
    return each;
  };
  try {
    const insight = keep(await Insight.compile(backend, buffers, model, groups, share.own, communicator));
    const heldOut = split && keep(await HeldOut.compile({ ...training, split, onNotice }));
    const gallery = await Gallery.open(training, writer);
    if (gallery) keep(gallery);
    const orders = keep(new SampleOrders(training, gallery, writer));
    return { insight, heldOut, gallery, orders, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
