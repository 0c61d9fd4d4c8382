// What ends all use of a device, until it is opened again.
import { RectiflowError } from '../tensor/errors.ts';

/** A device is gone with all that it held. A backend on the device that is opened again knows nothing of this one. */
export class DeviceLostError extends RectiflowError {
  /** Without what to do. */
  readonly what: string;
  readonly step: number | undefined;

  /** @param what was lost, and why: `webgpu: the GPU was lost (driver reset)` @param step after which, where that is known */
  constructor(what: string, step?: number) {
    const told = step === undefined ? what : `after step ${step}: ${what}`;
    super(
      'backend',
      `${told}. What it computed since the last checkpoint is gone: resume the run from there`,
    );
    this.what = told;
    this.step = step;
  }

  /** The same, of a training that had done so many steps. */
  after(step: number): DeviceLostError {
    return new DeviceLostError(this.what, step);
  }
}

/** A device has not so much memory as was asked for. It is of no use any more: what was asked for next is missing, too. */
export class DeviceMemoryError extends RectiflowError {
  /** Without what to do. */
  readonly what: string;

  /** @param what `webgpu: NAME has not so much memory (what it said)` */
  constructor(what: string) {
    super(
      'backend',
      `${what}. Set train.microBatch lower, or train.memory to recompute, or choose a smaller model`,
    );
    this.what = what;
  }
}
