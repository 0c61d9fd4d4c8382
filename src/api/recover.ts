// Training whose device was lost goes on from its last checkpoint, on the device that is opened again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../backends/backend.ts';
import { type BackendChoice, chooseBackend } from '../backends/choose.ts';
import { DeviceLostError } from '../backends/device-errors.ts';
import type { RunConfig } from '../config/config.ts';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { TrainResult } from '../train/metrics.ts';
import { type RunOptions, withBackend } from './parts.ts';
import type { RunPlace } from './ranks/place.ts';

/** Seconds before each try to open a device again: a driver that was reset is back soon, and a machine that woke up a little later. */
const waits = [0, 2, 8, 30] as const;
/** A device that is lost so often before the next checkpoint is lost because of what it is asked for. */
const mostLosses = 3;

type Settings = Pick<RunConfig, 'backend'> & { readonly train: Pick<RunConfig['train'], 'precision'> };

/** What a run computes on: the backend that the config asks for, and once that was lost the same one again. */
export class RunDevice {
  readonly #options: Pick<RunOptions, 'backend' | 'communicator' | 'signal' | 'onNotice'>;
  #first: Pick<Backend, 'name' | 'isa'> | undefined;

  constructor(options: Pick<RunOptions, 'backend' | 'communicator' | 'signal' | 'onNotice'>) {
    this.#options = options;
  }

  /** Whether it can be opened again: not what the caller holds, and not for one of several ranks, which would go on without it. */
  get isOwn(): boolean {
    return this.#options.backend === undefined && this.#options.communicator === undefined;
  }

  /** The backend, for as long as `use` takes. @throws RectiflowError where there is none, or another one than before */
  async with<T>(config: Settings, use: (backend: Backend) => Promise<T>): Promise<T> {
    const first = this.#first;
    if (first === undefined)
      return withBackend(config, this.#options, (backend) => {
        this.#first = { name: backend.name, ...(backend.isa !== undefined && { isa: backend.isa }) };
        return use(backend);
      });
    const backend = await this.#openAgain(config, first);
    try {
      return await use(backend);
    } finally {
      await backend.dispose();
    }
  }

  async #openAgain({ backend, train }: Settings, first: Pick<Backend, 'name' | 'isa'>): Promise<Backend> {
    const choice = {
      ...backend,
      name: first.name as NonNullable<BackendChoice['name']>,
      precision: train.precision,
    };
    let problem: RectiflowError | undefined;
    for (const seconds of waits) {
      // Who wants to stop waits no longer: what is left is to end the run in order.
      await sleep(1000 * seconds, undefined, { signal: this.#options.signal }).catch(() => {});
      try {
        return await openSame(choice, first);
      } catch (error) {
        if (!(error instanceof RectiflowError)) throw error;
        problem = error;
      }
    }
    throw new RectiflowError(
      'backend',
      `the device was lost, and could not be opened again in ${waits.length} tries: ${problem!.message}. Nothing is lost of the last ` +
        'checkpoint: resume the run from there',
      { cause: problem },
    );
  }
}

async function openSame(choice: BackendChoice, { isa }: Pick<Backend, 'isa'>): Promise<Backend> {
  const { backend } = await chooseBackend(choice);
  if (backend.isa === isa) return backend;
  await backend.dispose();
  throw new RectiflowError('backend', `${isa} is not there, but ${backend.isa}`);
}

export interface Recovering {
  readonly device: RunDevice;
  readonly options: Pick<RunOptions, 'onNotice'>;
  /** The run's; undefined before it was made. */
  place(): RunPlace | undefined;
  /** @param checkpoint where it goes on; without, at the first step */
  goOn(place: RunPlace, checkpoint: SavedCheckpoint | undefined): Promise<TrainResult>;
}

/**
 * Trains. Where the device is lost, it goes on from the run's last checkpoint, to the bit as if nothing had happened.
 * @throws RectiflowError what training throws, and where the device is lost again and again without a checkpoint in between
 */
export async function recovering(
  begin: () => Promise<TrainResult>,
  { device, options, place, goOn }: Recovering,
): Promise<TrainResult> {
  let attempt = begin;
  let [losses, lastStep] = [0, -1];
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const kept = place();
      if (!(error instanceof DeviceLostError) || !device.isOwn || kept === undefined) throw error;
      const checkpoint = await kept.latest(({ message }) => options.onNotice?.(message));
      const step = checkpoint?.step ?? 0;
      losses = step === lastStep ? losses + 1 : 1;
      lastStep = step;
      if (losses === mostLosses) throw lostAgain(error);
      const from =
        checkpoint === undefined
          ? 'again at the first step, as no checkpoint was saved yet'
          : `on from the checkpoint of step ${step}`;
      const text = `${error.what}. It is opened again, and training goes ${from}.`;
      options.onNotice?.(text);
      kept.folder?.note(error.step ?? step, text);
      attempt = () => goOn(kept, checkpoint);
    }
  }
}

function lostAgain(error: DeviceLostError): RectiflowError {
  return new RectiflowError(
    'backend',
    `${error.message}. It was lost ${mostLosses} times without a checkpoint in between: set train.microBatch or train.checkpointEvery ` +
      'lower, and look for what else uses the GPU, or for a newer driver',
    { cause: error },
  );
}
