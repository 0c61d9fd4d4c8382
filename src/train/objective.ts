// From the flow settings of a config to what is trained.
import type { SourceFacts } from '../data/source.ts';
import { ddpm } from '../flow/ddpm.ts';
import { diffusionSamplerNames } from '../flow/diffusion-samplers.ts';
import { type Objective, samplerOf } from '../flow/objective.ts';
import { rectifiedFlow } from '../flow/rectified-flow.ts';
import { type AnySamplerName, type SamplerName, samplers } from '../flow/samplers.ts';
import type { TimeDistribution, TimeSampler } from '../flow/time-sampling.ts';
import { describeProblem } from '../tensor/config-error.ts';
import type { FlowConfig } from './settings.ts';
import type { TrainingConfig } from './settings.ts';
import { checkOwn } from './own.ts';

/** What a config calls "custom", which the program that trains, resumes or samples hands over. */
export interface OwnFlow {
  /** Needed where flow.objective is custom. */
  readonly objective?: Objective | undefined;
  /** Needed where flow.timeSampling is custom. */
  readonly timeSampler?: TimeSampler | undefined;
}

/** The samplers of an objective by the kind that configs know, the default one first. Any may belong to one of its own. */
export function samplersOf(kind: FlowConfig['objective']['kind']): readonly AnySamplerName[] {
  const ofFlows = Object.keys(samplers) as SamplerName[];
  if (kind === 'ddpm') return diffusionSamplerNames;
  return kind === 'custom' ? [...ofFlows, ...diffusionSamplerNames] : ofFlows;
}

/**
 * The objective of a run.
 * @throws RectiflowError where the config and what is handed over do not fit together
 */
export function objectiveOf(
  { flow, sample }: Pick<TrainingConfig, 'flow' | 'sample'>,
  own: OwnFlow,
): Objective {
  const { objective: settings, lossWeighting } = flow;
  checkOwn('flow.objective', 'objective', settings.kind, own.objective);
  switch (settings.kind) {
    case 'rectified-flow':
      return rectifiedFlow(lossWeighting);
    case 'ddpm':
      return ddpm(settings);
    case 'custom':
      samplerOf(own.objective!, sample.sampler);
      return own.objective!;
  }
}

/**
 * How a run draws its times.
 * @throws RectiflowError where the config and what is handed over do not fit together
 */
export function timesOf({ timeSampling }: FlowConfig, { timeSampler }: OwnFlow): TimeDistribution {
  checkOwn('flow.timeSampling', 'time sampler', timeSampling.kind, timeSampler);
  return timeSampling.kind === 'custom'
    ? { ...timeSampling, fromUniform: (u) => timeSampler!.fromUniform(u) }
    : timeSampling;
}

/** What the objective asks of other settings. */
export function checkObjective({ flow, sample }: TrainingConfig, problems: string[]): void {
  const { objective, lossWeighting } = flow;
  const known = samplersOf(objective.kind);
  if (!known.includes(sample.sampler)) {
    const wanted = `one of ${known.join(', ')}, the samplers of ${objective.kind}`;
    problems.push(describeProblem(['sample', 'sampler'], wanted, sample.sampler));
  }
  if (objective.kind !== 'rectified-flow' && lossWeighting.kind !== 'none') {
    const wanted = `none: the others are weights of a velocity's error, which ${objective.kind} does not have`;
    problems.push(describeProblem(['flow', 'lossWeighting', 'kind'], wanted, lossWeighting.kind));
  }
  if (objective.kind === 'ddpm' && sample.steps > objective.timesteps) {
    const wanted = `at most flow.objective.timesteps, ${objective.timesteps}`;
    problems.push(describeProblem(['sample', 'steps'], wanted, sample.steps));
  }
}

/** What the coupling asks of the data and of the objective. */
export function checkCoupling(
  { flow: { coupling, objective } }: TrainingConfig,
  facts: SourceFacts | undefined,
  problems: string[],
): void {
  if (coupling === 'independent') return;
  if (objective.kind !== 'rectified-flow') {
    const wanted = `rectified-flow: pairs are the ends of its paths, which ${objective.kind} does not go along`;
    problems.push(describeProblem(['flow', 'objective', 'kind'], wanted, objective.kind));
  }
  if (facts && !facts.paired) {
    const wanted =
      'independent: the data do not tell what noise their samples were made of, as data.source: pairs does';
    problems.push(describeProblem(['flow', 'coupling'], wanted, coupling));
  }
}
