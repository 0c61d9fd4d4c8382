// In how few bytes a model can be shared: by how far the samples of its rounded weights are from its own.
import type { Backend } from '../../backends/backend.ts';
import { FlowSampler } from '../../flow/sample.ts';
import { isNullTrained } from '../../known/trained-with.ts';
import type { Difference } from '../../share/manifest.ts';
import type { NumberFormat } from '../../share/numbers.ts';
import { roundTensors } from '../../share/pack.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { disposeAll } from '../../tensor/lifetime.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { loadWeights } from '../../train/restore.ts';
import { gridRows } from '../../train/sample-grid.ts';
import type { RunModel } from '../run-sampler.ts';
import { samplerSettings, usableGuidance } from '../../runner/samples/sampler-settings.ts';

/** The smallest first. */
const bySize = ['int8', 'float16', 'float32'] as const satisfies readonly NumberFormat[];

export interface NumberChoice {
  /** `auto`: the smallest whose difference is below the tolerance. */
  readonly numbers: NumberFormat | 'auto';
  readonly tolerance: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** Samples that are compared: some of every row of the run's own grids, as far as that goes. */
const compared = 16;

/**
 * Makes the same samples with the weights as they are and with what is left of them in a format.
 * @throws RectiflowError where samples of rounded weights are no numbers, and the format was asked for
 */
export async function chooseNumbers(
  opened: RunModel,
  weights: StoredTensors,
  backend: Backend,
  { numbers, tolerance, signal, onProgress }: NumberChoice,
): Promise<Difference> {
  const sampleWith = (own: StoredTensors): Promise<Float32Array> => makeSamples(opened, own, backend, signal);
  onProgress?.('making samples with the weights as they are');
  const exact = await sampleWith(weights);
  for (const format of numbers === 'auto' ? bySize : [numbers]) {
    const samples = compared;
    if (format === 'float32') return { format, rms: 0, largest: 0, samples, tolerance };
    onProgress?.(`making samples with weights in ${format}`);
    const rounded = await sampleWith(roundTensors(weights, format)).catch((error: unknown) => {
      if (numbers === 'auto' && error instanceof RectiflowError) return undefined;
      throw error;
    });
    if (rounded === undefined) continue;
    const difference = { format, ...compare(exact, rounded), samples, tolerance };
    if (numbers !== 'auto' || difference.rms < tolerance) return difference;
  }
  throw new RectiflowError('internal', 'share: float32 differs from itself');
}

async function makeSamples(
  { config, saved, conditioning, model, objective }: RunModel,
  weights: StoredTensors,
  backend: Backend,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const rows = gridRows(config.sample);
  const annotations = Array.from(
    { length: rows.length > 0 ? compared : 0 },
    (_, i) => rows[i % rows.length]!,
  );
  const guidance = usableGuidance({}, config, rows.length > 0, isNullTrained(saved, config));
  const buffers = await loadWeights(backend, model, weights, saved.path);
  const sampler = new FlowSampler(backend, model, buffers, { objective });
  try {
    return await sampler.sample({
      count: compared,
      ...samplerSettings({}, config.sample),
      guidance,
      seed: config.seed,
      ...(annotations.length > 0 && { conditions: conditioning.encode(annotations, model.sampleShape) }),
      ...(signal && { signal }),
    });
  } finally {
    await disposeAll([sampler, ...buffers.values()]);
  }
}

function compare(exact: Float32Array, rounded: Float32Array): Pick<Difference, 'rms' | 'largest'> {
  const count = exact.length;
  const mean = exact.reduce((sum, value) => sum + value, 0) / count;
  const deviation = Math.sqrt(exact.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count) || 1;
  let [squares, largest] = [0, 0];
  exact.forEach((value, i) => {
    const difference = Math.abs(value - rounded[i]!);
    squares += difference ** 2;
    largest = Math.max(largest, difference);
  });
  return { rms: Math.sqrt(squares / count) / deviation, largest: largest / deviation };
}
