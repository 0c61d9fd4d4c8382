// What the PyTorch side is told of a case.
import type { RunConfig } from 'rectiflow';

/** Of its training step: what bench/peer/training.py reads, but for precision and threads. */
export function peerStep(config: RunConfig): object {
  const { train, flow, optimizer, ema } = config;
  return {
    model: peerModel(config),
    batch: train.batchSize,
    optimizer,
    times: flow.timeSampling,
    labelDropout: flow.labelDropout,
    emaDecay: ema.decay,
  };
}

/** The arguments of `DiT` in bench/peer/dit.py. @throws Error for a model that the PyTorch side does not have */
export function peerModel({ model }: RunConfig): object {
  if (model.kind !== 'dit' || model.reverseTime) {
    throw new Error(
      `bench/peer/dit.py is a DiT with the noise at t = 1; the case has ${JSON.stringify(model)}`,
    );
  }
  const { width, depth, heads, patchSize, channels, imageSize, classes, timeScale } = model;
  return { width, depth, heads, patchSize, channels, imageSize, classes, timeScale };
}
