// What the PyTorch side is told of a model: the arguments of `DiT` in bench/peer/dit.py.
import type { RunConfig } from 'rectiflow';

/** @throws Error for a model that the PyTorch side does not have */
export function peerModel({ model }: RunConfig): object {
  if (model.kind !== 'dit' || model.reverseTime) {
    throw new Error(
      `bench/peer/dit.py is a DiT with the noise at t = 1; the case has ${JSON.stringify(model)}`,
    );
  }
  const { width, depth, heads, patchSize, channels, imageSize, classes, timeScale } = model;
  return { width, depth, heads, patchSize, channels, imageSize, classes, timeScale };
}
