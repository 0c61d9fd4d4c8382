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

/**
 * pause: training waits before the next step. goOn: it ends that. save: a checkpoint is made now. stop: as by Ctrl-C, training ends and
 * saves. set: settings for the rest of the run.
 */
export type SteeringRequest =
  | { readonly kind: 'pause' | 'goOn' | 'save' | 'stop' }
  | { readonly kind: 'set'; readonly settings: SteeringSettings };

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
  readonly outcome: 'applied' | 'refused';
  /** Of one that is refused: why. Of one that nobody asked for: where it is from. */
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
export function describeEvent({ step, kind, settings = {} }: SteeringEvent): string {
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
  }
}
