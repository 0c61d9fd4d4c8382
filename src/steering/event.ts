// What a run that trains can be asked, and what became of it.

/** Settings that may be changed while a run trains; what is left out stays. */
export interface SteeringSettings {
  /** The peak of the schedule. */
  readonly learningRate?: number | undefined;
  /** In steps; 0 for never. */
  readonly sampleEvery?: number | undefined;
  readonly checkpointEvery?: number | undefined;
  readonly logEvery?: number | undefined;
  /** Of the grids that are made during training, as `sample` of the run's config has them. */
  readonly sample?: Readonly<Record<string, unknown>> | undefined;
}

/** Samples that a run that trains is asked for. What is left out is as its grids have it. */
export interface AskedSamples {
  /** The classes, by number or name. */
  readonly labels?: readonly (number | string)[] | undefined;
  readonly prompts?: readonly string[] | undefined;
  /** Of each label or prompt, or in all of a model without; 8 by default. Of cells without labels, as many of each class as the data have. */
  readonly count?: number | undefined;
  /** `ema`, the default; `model`: as they were trained last; `ema:0.999`: another average that the run keeps. */
  readonly weights?: string | undefined;
  /** 0 by default. */
  readonly seed?: number | undefined;
  readonly sampler?: string | undefined;
  readonly steps?: number | undefined;
  readonly guidance?: number | undefined;
  readonly guidanceInterval?: readonly [low: number, high: number] | undefined;
  readonly timeShift?: number | undefined;
  readonly rtol?: number | undefined;
  readonly atol?: number | undefined;
  readonly diffusion?: number | undefined;
  readonly eta?: number | undefined;
  readonly clip?: number | undefined;
}

/** The same with nothing left out. */
export interface SampleOrder {
  /** What samples are told; of a model without, no rows. */
  readonly rows: readonly { readonly label?: number | undefined; readonly caption?: string | undefined }[];
  /** Of each row; without rows one number, of all. */
  readonly counts: readonly number[];
  readonly weights: string;
  readonly seed: number;
  readonly sampler: string;
  readonly steps: number;
  readonly guidance: number;
  readonly guidanceInterval: readonly [low: number, high: number];
  readonly timeShift: number;
  readonly rtol: number;
  readonly atol: number;
  readonly diffusion: number;
  readonly eta: number;
  readonly clip: number;
}

/** Files of samples that were asked for: paths in the run's folder, with slashes. */
export interface MadeSamples {
  readonly count: number;
  readonly folder: string;
  /** What to look at first. */
  readonly view: string;
}

/**
 * pause: training waits before the next step. goOn: it ends that. save: a checkpoint is made now. stop: as by Ctrl-C, training ends and
 * saves. set: settings for the rest of the run. sample: samples are made with the weights of the step, which changes nothing.
 */
export type SteeringRequest =
  | { readonly kind: 'pause' | 'goOn' | 'save' | 'stop' }
  | { readonly kind: 'set'; readonly settings: SteeringSettings }
  | { readonly kind: 'sample'; readonly samples?: AskedSamples | undefined };

export type SteeringKind = SteeringRequest['kind'];

/** What became of a request. Plain JSON. */
export interface SteeringEvent {
  /** Of the request. */
  readonly id: string;
  /** The last step done before it takes effect. */
  readonly step: number;
  /** ISO 8601. */
  readonly time: string;
  readonly kind: SteeringKind;
  /** Of the kind set. */
  readonly settings?: SteeringSettings;
  /** Of the kind sample: what was made, and where it is. */
  readonly samples?: SampleOrder;
  readonly made?: MadeSamples;
  readonly outcome: 'applied' | 'refused';
  /** Of one that is refused: why. Of one that nobody asked for: where it is from. Of samples: what to know of them. */
  readonly sentence?: string;
}

/** `the learning rate is 0.0005` */
export function describeSettings({ sample = {}, ...own }: SteeringSettings): string {
  const named = [
    ...Object.entries(own),
    ...Object.entries(sample).map(([name, value]) => [`sample.${name}`, value] as const),
  ];
  return named
    .flatMap(([name, value]) => (value === undefined ? [] : `${name} ${JSON.stringify(value)}`))
    .join(', ');
}

/** What becomes of a request that is applied. */
export function describeEvent({ step, kind, settings = {}, made }: SteeringEvent): string {
  switch (kind) {
    case 'pause':
      return `training is paused after step ${step}.`;
    case 'goOn':
      return `training goes on after step ${step}.`;
    case 'save':
      return `a checkpoint is saved after step ${step}.`;
    case 'stop':
      return `training stops after step ${step}.`;
    case 'set':
      return `from step ${step + 1} on ${describeSettings(settings)}.`;
    case 'sample':
      return `${made?.count ?? 0} samples of step ${step} are made: ${made?.view}.`;
  }
}
