import type { ConfigInput } from '../config/config.ts';

/**
 * Blood cells by type: the 765 most variable genes of 700 cells of 10x Genomics' PBMC 68k, the file pbmc68k_reduced.h5ad of
 * scanpy, which the user has to give: data.path. Cells have about 600 counts in these genes, so that with this target a single
 * count is near log 2. Half of the cells is held out: of the ten types four then have the 30 cells that a comparison needs. Of so
 * few cells more steps are learnt by heart.
 */
export const pbmc: ConfigInput = {
  data: { source: 'expression', label: 'bulk_labels', target: 600, holdOut: 0.5 },
  model: { width: 128, depth: 3, heads: 4, groupSize: 30 },
  flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 1 }, labelDropout: 0.1 },
  optimizer: {
    learningRate: 2e-3,
    betas: [0.9, 0.95],
    weightDecay: 0.05,
    decay: 'cosine',
    floor: 0.02,
    clipNorm: 1,
  },
  ema: { decay: 0.995 },
  train: { steps: 1200, batchSize: 64, sampleEvery: 0, checkpointEvery: 300 },
  sample: { steps: 50, guidance: 1 },
};
