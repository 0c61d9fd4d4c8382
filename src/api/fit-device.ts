// Training on a device that tells nobody how much memory it has: what is too much for it is found out by trying.
import { DeviceMemoryError } from '../backends/backend.ts';

export interface FittingDevice {
  /** Samples that were computed at a time in the last try; undefined where it did not come to that. */
  tried(): number | undefined;
  /** Goes back to before the run was made. @returns whether that can be: something may have been trained, or the user chose */
  undo(): Promise<boolean>;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Tries with half as many samples at a time, until the device has room.
 * @param begin is told of the most samples at a time; at first of none
 * @throws RectiflowError what `begin` throws
 */
export async function fittingDevice<T>(
  begin: (microBatch: number | undefined) => Promise<T>,
  { tried, undo, onNotice }: FittingDevice,
): Promise<T> {
  let microBatch: number | undefined;
  for (;;) {
    try {
      return await begin(microBatch);
    } catch (error) {
      const samples = tried();
      if (!(error instanceof DeviceMemoryError) || samples === undefined || samples <= 1) throw error;
      if (!(await undo())) throw error;
      microBatch = Math.ceil(samples / 2);
      onNotice?.(
        `${error.what}: ${samples} samples at a time are too many, and ${microBatch} are tried. Set train.microBatch to what fits.`,
      );
    }
  }
}
