// How a run's samples are made: as it is asked for, else as its config says.
import type { RunConfig } from '../../config/config.ts';
import type { SamplerSettings } from '../../flow/sample-request.ts';
import { valueError } from '../../tensor/errors.ts';
import type { SampleConfig } from '../../train/settings.ts';

/** What is left out is as the run's config says. */
export interface AskedSampling extends Omit<SamplerSettings, 'steps'> {
  readonly steps?: number | undefined;
}

export interface AskedGuidance extends Pick<AskedSampling, 'guidance'> {
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** How to go from noise to data, but for guidance: as it is asked for, else as the run does. */
export function samplerSettings(asked: AskedSampling, own: SampleConfig): Omit<SamplerSettings, 'guidance'> {
  return {
    sampler: asked.sampler ?? own.sampler,
    steps: asked.steps ?? own.steps,
    timeShift: asked.timeShift ?? own.timeShift,
    rtol: asked.rtol ?? own.rtol,
    atol: asked.atol ?? own.atol,
    maxEvaluations: asked.maxEvaluations,
    diffusion: asked.diffusion ?? own.diffusion,
    eta: asked.eta ?? own.eta,
    clip: asked.clip ?? own.clip,
    guidanceInterval: asked.guidanceInterval ?? own.guidanceInterval,
  };
}

const untoldReason = 'samples are told nothing that could be guided towards';
const unlearntReason =
  'trained with flow.labelDropout 0, the model has not learnt what guidance leads away from, samples without label or caption. ' +
  'Train with flow.labelDropout above 0, as in 0.1';

/**
 * Guidance leads away from what the model says without label or caption.
 * @param isLearnt whether the model has ever learnt that; undefined where nothing tells
 * @throws RectiflowError where guidance is asked for that makes no sense; what the config says is left out with a notice
 */
export function usableGuidance(
  { guidance: asked, onNotice }: AskedGuidance,
  { sample: own }: Pick<RunConfig, 'sample'>,
  isTold: boolean,
  isLearnt: boolean | undefined,
): number {
  const guidance = asked ?? own.guidance;
  if (guidance === 1 || (isTold && isLearnt)) return guidance;
  if (isTold && isLearnt === undefined) {
    onNotice?.(
      `guidance ${guidance} takes it that these weights were trained without labels, too, which nothing tells: guidance 1 needs no such training`,
    );
    return guidance;
  }
  const reason = isTold ? unlearntReason : untoldReason;
  if (asked !== undefined) throw valueError('sample', 'guidance', `1 (none): ${reason}`, asked);
  onNotice?.(`samples are made with guidance 1, not ${guidance}: ${reason}.`);
  return 1;
}
