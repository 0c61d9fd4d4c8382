import { shellWord, shortPath } from './paths.ts';

/** What to do with an autoencoder that a run has learnt, as a line for people. */
export function encodeWith(run: string): string {
  return `Encode pictures:  npx rectiflow data encode <config> --autoencoder ${shellWord(shortPath(run))} --out latents`;
}
