// The model on what computes it, which may be lost, or changed for something else.
import { SharedModel } from '../../src/share/open.ts';
import { type SharedFiles, filesAt, readShare } from '../../src/share/read.ts';
import { type Device, openDevice } from './device.ts';
import type { DeviceName } from './device-names.ts';
import { type FromWorker, mostSamples } from './protocol.ts';

export interface HostedModel extends Device {
  readonly shared: SharedModel;
}

interface HostOptions {
  /** An address below which it lies, or what lay there. */
  readonly from: string | SharedFiles;
  readonly device: DeviceName | undefined;
  readonly say: (message: FromWorker) => void;
  /** Told of each that is opened. */
  readonly onOpened: (model: HostedModel) => Promise<void>;
}

export class ModelHost {
  readonly #options: HostOptions;
  #device: DeviceName | undefined;
  #model: Promise<HostedModel>;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#device = options.device;
    this.#model = this.#opened();
    this.#model.catch(() => {});
  }

  /** @throws what opening it throws */
  get model(): Promise<HostedModel> {
    return this.#model;
  }

  /** Opens it once more, on another device. @param device undefined for the fastest */
  use(device: DeviceName | undefined): void {
    this.#device = device;
    this.#reopen();
  }

  /** Opens it once more, where that is still the one that is used. */
  async replace(lost: HostedModel): Promise<void> {
    const before = this.#model;
    if ((await before) === lost && this.#model === before) this.#reopen();
  }

  #reopen(): void {
    const before = this.#model;
    const after = async (): Promise<HostedModel> => {
      const old = await before.catch(() => undefined);
      await old?.shared.dispose();
      await old?.backend.dispose();
      return this.#opened();
    };
    this.#model = after();
    this.#model.catch(() => {});
  }

  /** What it throws is said; who waits for the model is told again. */
  async #opened(): Promise<HostedModel> {
    const { from, say, onOpened } = this.#options;
    try {
      const onProgress = (bytes: number, total: number): void => say({ kind: 'loading', bytes, total });
      // Not kept beside what is on the device: the browser has them at hand.
      const files = typeof from === 'string' ? await readShare(filesAt(from), { onProgress }) : from;
      const device = await openDevice(this.#device);
      const shared = await SharedModel.open(files, device.backend, { batchSize: mostSamples });
      const model = { ...device, shared };
      await onOpened(model);
      return model;
    } catch (error) {
      say({ kind: 'failed', id: null, message: (error as Error).message });
      throw error;
    }
  }
}
