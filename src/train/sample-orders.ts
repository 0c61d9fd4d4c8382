// Samples that a run is asked for while it trains: by the samplers of its grids, with the weights that it has then.
import { DeviceLostError, DeviceMemoryError, type Disposable } from '../backends/backend.ts';
import { isPicture } from '../data/source.ts';
import type { MadeSamples, SteeringEvent } from '../steering/event.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { type Gallery, type SampleWriter, toldByFirst } from './gallery.ts';
import { annotationsOf } from './make-ordered.ts';
import type { PreparedTraining } from './prepare.ts';
import type { GridMaker } from './run-task.ts';

/** With the weights that it has then, whatever they are. */
export class SampleOrders implements Disposable {
  readonly #training: PreparedTraining;
  readonly #gallery: Gallery | undefined;
  readonly #writer: SampleWriter | undefined;
  /** Of a run whose samples are not shown. */
  #own: GridMaker | undefined;

  /** @param writer of the first rank, and of whoever trains alone */
  constructor(training: PreparedTraining, gallery: Gallery | undefined, writer: SampleWriter | undefined) {
    this.#training = training;
    this.#gallery = gallery;
    this.#writer = writer;
  }

  async dispose(): Promise<void> {
    await this.#own?.dispose();
  }

  /**
   * Does what an event asks for; all ranks call it. Whatever is wrong with the samples is in what it returns, and training goes on.
   * @returns the event, with what was made where this is the first rank
   * @throws RectiflowError where the run is gone, or ranks are; DeviceLostError where no memory is left on a device, too, which is of no
   * use then and has to be opened again
   */
  async fulfil(event: SteeringEvent, signal: AbortSignal | undefined): Promise<SteeringEvent> {
    try {
      const made = await this.#make(event, signal);
      return { ...event, ...(made && { made }) };
    } catch (error) {
      if (error instanceof DeviceMemoryError) throw new DeviceLostError(error.what);
      if (endsTraining(error)) throw error;
      return refused(event, signal?.aborted ? 'training was stopped before they were' : error);
    }
  }

  async #make(
    { step, samples: order }: SteeringEvent,
    signal?: AbortSignal,
  ): Promise<MadeSamples | undefined> {
    const { model, source, decoder, communicator, task } = this.#training;
    const writer = this.#writer;
    if (!(await toldByFirst(communicator, writer?.writeOrdered !== undefined)))
      throw new RectiflowError('value', 'this training has nowhere to keep samples that it is asked for');
    const grids = this.#gallery?.grids ?? (this.#own ??= task.grid.open(this.#training));
    if (grids.makeOrdered === undefined || order === undefined)
      throw new RectiflowError('value', 'its model makes nothing out of noise');
    const values = await grids.makeOrdered(order, signal);
    if (writer?.writeOrdered === undefined) return undefined;
    const { sampleShape: shape } = model;
    const isDecoded = decoder !== undefined && shape.length === 3 && !isPicture(shape, source.record);
    const pictures = isDecoded && {
      values: await decoder.decode(values, shape, signal),
      shape: decoder.pictureShape(shape),
    };
    const annotations = annotationsOf(order);
    return writer.writeOrdered({ step, order, values, shape, annotations, ...(pictures && { pictures }) });
  }
}

/** What becomes of samples that could not be made. @param why what was thrown */
export function refused(event: SteeringEvent, why: unknown): SteeringEvent {
  const text = why instanceof Error ? why.message : String(why);
  return { ...event, outcome: 'refused', sentence: `samples were not made: ${text}` };
}

function endsTraining(error: unknown): boolean {
  if (error instanceof DeviceLostError) return true;
  return error instanceof RectiflowError && (error.code === 'run' || error.code === 'ranks');
}
