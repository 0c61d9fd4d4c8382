// What settings are where nobody says it.

/** Of settings that depend on no other. */
export const defaults = {
  steps: 10_000,
  labelDropout: 0.1,
  seed: 0,
  loader: { workers: 4, prefetch: 2, cacheMiB: 256, onBadSample: 'fail' },
  flow: {
    objective: { kind: 'rectified-flow' },
    timeSampling: { kind: 'uniform', stratified: false, shift: 1 },
    lossWeighting: { kind: 'none' },
  },
  optimizer: {
    learningRate: 1e-4,
    betas: [0.9, 0.999] as [number, number],
    epsilon: 1e-8,
    weightDecay: 0,
    decayed: 'all',
    decay: 'cosine',
    floor: 0,
    clipNorm: 1,
  },
  ema: { decay: 0.9999, ramp: true, decays: [] as number[], power: [] as number[], snapshotEvery: 0 },
  train: {
    batchSize: 64,
    memoryMiB: 'auto',
    badSteps: { rollBackAfter: 5, window: 100, stopAfter: 3 },
    lossScaling: { initial: 65536, growth: 2, backOff: 0.5, growthInterval: 2000 },
    logEvery: 10,
    sampleEvery: 1000,
    checkpointEvery: 1000,
    keepCheckpoints: 3,
    keepEvery: 0,
    precision: 'auto',
    memory: 'keep',
  },
  heldOut: { count: 0, every: 500 },
  sample: {
    steps: 50,
    timeShift: 1,
    rtol: 1e-3,
    atol: 1e-3,
    diffusion: 1,
    eta: 0,
    guidanceInterval: [0, 1] as [number, number],
    perClass: 8,
    gridWeights: 'both',
  },
} as const;

/** Steps in which the learning rate rises. */
export function defaultWarmup(steps: number): number {
  return Math.min(100, Math.floor(steps / 10));
}
