import { conformance } from '../support/conformance.ts';

// The angle 1000 t is rounded to float32, so its cosine can be no more exact than that.
conformance(
  'timestepEmbedding',
  [
    { batch: 1, width: 2 },
    { batch: 5, width: 256 },
  ].map(({ batch, width }) => ({
    inputs: [{ shape: [batch], value: (u: number) => 0.5 + 0.5 * u }],
    attributes: { width, timeScale: 1000, maxPeriod: 10000 },
  })),
  { fp32: 2e-5 },
);
