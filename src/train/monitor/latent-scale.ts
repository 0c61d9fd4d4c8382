import { describePerChannel } from '../../data/latents.ts';
import type { Detector } from './detector.ts';
import { brief } from './statistics.ts';

/** Beyond these, latents are learnt at fewer times t than they could be. */
const usual = [0.5, 2] as const;

/** In what scale a model sees latents is told at its first step, whether or not it is right: nobody sees it by the loss. */
export const latentScale: Detector = (_, { values }) => {
  if (values?.latents === undefined) return undefined;
  const { mean, deviation, latents } = values;
  const of =
    latents.autoencoder === undefined ? '' : ` of the autoencoder ${latents.autoencoder.slice(0, 12)}`;
  const scale = `scale ${describePerChannel(latents.scale)} and shift ${describePerChannel(latents.shift)}`;
  const seen = `The model sees latents${of} with the mean ${brief(mean)} and the deviation ${brief(deviation)}, by ${scale}.`;
  if (deviation >= usual[0] && deviation <= usual[1]) return seen;
  return `${seen} About 0 and 1 are wanted: "rectiflow data check" says what scale and shift would make them so.`;
};
