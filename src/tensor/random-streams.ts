/**
 * Streams of the counter-based generator, which keep a run's draws apart. Training counts steps from 1, so that step 0 of
 * every stream is free for what is drawn outside training. Parameters have streams of their own, from 2^31 up.
 */
export const streams = {
  /** x1, the noise that the data are mixed with. */
  noise: 0,
  /** t, where between data and noise a sample is looked at. */
  time: 1,
  /** Which labels the null label replaces. */
  labelDropout: 2,
  /** What sampling starts from. */
  sampling: 3,
  /** The order of the samples in an epoch; the epoch takes the step's place. */
  order: 4,
  /** Crops and flips of images; the epoch takes the step's place. */
  transforms: 5,
  /** The total counts of generated cells. */
  sampleTotals: 6,
  /** What stochastic samplers add; the sampler's step takes the step's place. */
  diffusion: 7,
  /** Which samples are held out; the order of the others has no part in it. */
  heldOut: 8,
  /** The noise that held-out samples are looked at with. */
  heldOutNoise: 9,
  /** Which of a sample's captions is told; the epoch takes the step's place. */
  captions: 10,
  /** Cells that generated ones are held against. */
  comparison: 11,
  /** Latents of what an autoencoder says of an image; the epoch takes the step's place, but where the autoencoder is trained. */
  posterior: 12,
  /** At which of its sizes a set is read; the number of the batch takes the step's place. */
  sizes: 13,
  /** The order of an epoch's batches where each is of one bucket; the epoch takes the step's place. */
  buckets: 14,
  /** Which sample's label or caption a pair is made for; the epoch takes the step's place. */
  pairs: 15,
} as const;
