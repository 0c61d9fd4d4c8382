// The latents of EDM2 (https://github.com/NVlabs/edm2) and REPA (https://github.com/sihyun-yu/REPA): in a folder or a zip archive
//   00000/img-mean-std-00000000.npy  [2 C, H, W] float32: the mean, then the deviation, of one image
//   dataset.json                     {"labels": [["00000/img-mean-std-00000000.npy", 6], ...]}, or null
// REPA encodes images in [-1, 1], EDM2 images in [0, 1]: what a decoder makes of EDM2's lies in [0, 1], too.
import { checkLabels } from '../../data/arrays.ts';
import type { BadSamplePolicy } from '../../data/bad-samples.ts';
import type { ImageShape } from '../../data/source.ts';
import { unusedOf } from '../../data/told.ts';
import { parseJsonObject } from '../../formats/json.ts';
import { decodeNpy } from '../../formats/npy-bytes.ts';
import { counted } from '../../tensor/counted.ts';
import { dataError, fileError, formatShape } from '../../tensor/errors.ts';
import { sameShape } from '../../tensor/shape.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { lookedAt } from '../../data/fingerprint.ts';
import { Fingerprint } from '../fingerprint.ts';
import type { LatentItems } from './items.ts';
import type { Members } from './members.ts';

export const EDM2_LABELS = 'dataset.json';
const mostRead = 1000;

/** @throws RectiflowError naming the file that is missing or is none of the kind */
export async function openEdm2(
  path: string,
  members: Members,
  onBadSample: BadSamplePolicy,
): Promise<LatentItems> {
  const files = members.names.filter((name) => name.endsWith('.npy'));
  if (files.length === 0) throw dataError(path, 'holds no .npy files of latents', 'Check the path');
  const labels = await readLabels(members, files);
  const first = members.path(files[0]!);
  const { shape: stored } = decodeNpy(await members.read(files[0]!), first);
  const [doubled, height, width] = stored;
  if (stored.length !== 3 || doubled! % 2 !== 0 || stored.includes(0)) {
    const problem = `has shape ${formatShape(stored)}, wanted [2 C, H, W]: the means, then the deviations`;
    throw fileError(first, problem, 'Of latents without deviations make an array: data.source array');
  }
  const shape: ImageShape = [doubled! / 2, height!, width!];
  const read = async (index: number): Promise<Float32Array> => {
    const name = members.path(files[index]!);
    const array = decodeNpy(await members.read(files[index]!), name);
    if (!sameShape(array.shape, stored)) {
      const problem = `has shape ${formatShape(array.shape)}, the first file has ${formatShape(stored)}`;
      throw fileError(name, problem, 'Put latents of each size into a folder of their own');
    }
    return toFloat32(array);
  };
  const others = members.names.filter((name) => !name.endsWith('.npy') && name !== EDM2_LABELS);
  const classes =
    labels && checkLabels(labels, files.length, { name: members.path(EDM2_LABELS), onBadSample });
  return {
    name: path,
    count: files.length,
    shape,
    isMirrored: false,
    hasDeviations: true,
    async read(index) {
      const values = await read(index);
      return { mean: values.subarray(0, values.length / 2), deviation: values.subarray(values.length / 2) };
    },
    labels,
    classes,
    describe: (index) => members.path(files[index]!),
    async fingerprint() {
      const digest = new Fingerprint().texts(files).texts(stored.map(String));
      for (const index of lookedAt(files.length, 4 * stored.reduce((a, b) => a * b), mostRead))
        digest.bytes(await members.read(files[index]!));
      if (labels) digest.labels(files.length, (index) => labels[index]);
      return digest.end();
    },
    told: { label: EDM2_LABELS },
    unused: others.length > 0 ? [unusedOf('file', others)] : [],
    close: async () => {},
  };
}

/** By the names of the files, whatever their order; undefined where the set has no labels. */
async function readLabels(members: Members, files: readonly string[]): Promise<Int32Array | undefined> {
  const path = members.path(EDM2_LABELS);
  const advice = 'Write {"labels": [["00000/img-mean-std-00000000.npy", 6], ...]}, or null for none';
  const { labels: listed } = parseJsonObject(await members.read(EDM2_LABELS), path, advice);
  if (listed === undefined || listed === null) return undefined;
  if (!Array.isArray(listed)) throw fileError(path, 'has labels that are no list', advice);
  const byName = new Map<string, number>();
  for (const entry of listed as unknown[]) {
    const [name, label] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof name !== 'string' || !Number.isInteger(label))
      throw fileError(
        path,
        `has the label ${JSON.stringify(entry)}, wanted a name and a whole number`,
        advice,
      );
    byName.set(name, label as number);
  }
  const known = new Set(files);
  const missing = files.filter((name) => !byName.has(name));
  const left = [...byName.keys()].filter((name) => !known.has(name));
  if (missing.length > 0 || left.length > 0) {
    const problem =
      missing.length > 0
        ? `has no label for ${counted(missing.length, 'file')}, the first of them ${missing[0]}`
        : `has labels for ${counted(left.length, 'file')} that are not there, the first of them ${left[0]}`;
    throw fileError(path, problem, 'Put back what is missing, or encode the images again');
  }
  return Int32Array.from(files, (name) => byName.get(name)!);
}
