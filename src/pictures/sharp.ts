import type sharp from 'sharp';

let loading: Promise<typeof sharp> | undefined;

/** sharp, loaded at the first call: a tenth of a second and 20 MiB, which a run does without until it decodes or draws something. */
export function loadSharp(): Promise<typeof sharp> {
  return (loading ??= load());
}

async function load(): Promise<typeof sharp> {
  const { default: loaded } = await import('sharp');
  // One thread per image: many are decoded at once, in libuv's pool. No image is read twice, so none is kept.
  loaded.concurrency(1);
  loaded.cache(false);
  return loaded;
}
