// Where samples come from, as files of them keep it.
import { createHash } from 'node:crypto';
import { version } from '../../host/machine.ts';
import type { SamplerSettings } from '../../flow/sample-request.ts';
import type { RunConfig } from '../../config/config.ts';
import type { Shape } from '../../tensor/shape.ts';

/** Flat: texts and numbers by name, so that every format has room for it. */
export interface Provenance {
  /** Tells samples from those of any other weights or settings; the same command gives the same. */
  readonly id: string;
  readonly version: string;
  readonly run: string;
  readonly step: number;
  readonly weights: string;
  readonly seed: number;
  readonly sampler: string;
  readonly steps: number;
  readonly guidance: number;
}

/** By which weights: those of a checkpoint, or what else tells them from any others. */
interface SampledWeights {
  readonly step: number;
  readonly files: unknown;
}

interface Asked extends SamplerSettings {
  readonly seed: number;
  readonly conditions?: unknown;
  readonly rows?: unknown;
  /** Where it is another than the model's own. */
  readonly shape?: Shape;
}

/** `WeightsChoice` has them. */
interface UsedWeights {
  readonly weights?: string | undefined;
  readonly emaLength?: number | undefined;
}

export function provenanceOf(
  { name }: Pick<RunConfig, 'name'>,
  { step, files }: SampledWeights,
  asked: Asked,
  { weights, emaLength }: UsedWeights,
): Provenance {
  const used = emaLength === undefined ? (weights ?? 'ema') : `average of length ${emaLength}`;
  const exact = JSON.stringify([files, used, asked]);
  return {
    id: createHash('sha256').update(exact).digest('hex').slice(0, 8),
    version,
    run: name,
    step,
    weights: used,
    seed: asked.seed,
    sampler: asked.sampler ?? 'euler',
    steps: asked.steps,
    guidance: asked.guidance ?? 1,
  };
}
