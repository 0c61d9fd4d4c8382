// The pictures in a run's folder of samples.
import { readdir } from 'node:fs/promises';
import type { SampleFile } from './contract.ts';

const PICTURE = /^step-(\d{7,15})(?:-(path|sizes))?\.png$/;

/** @returns undefined of a name that is none of a picture of samples */
export function sampleFileOf(file: string): SampleFile | undefined {
  const [, step, kind = 'grid'] = PICTURE.exec(file) ?? [];
  return step === undefined ? undefined : { step: Number(step), kind: kind as SampleFile['kind'], file };
}

const ASKED = /^step-\d{7,15}(?:-\d{1,9})?\.png$/;

/** Whether a name is that of a picture of samples that were asked for while a run trained. */
export function isAskedFile(file: string): boolean {
  return ASKED.test(file);
}

/** By step; none where the folder is missing. @param folder of the samples */
export async function listSamples(folder: string | undefined): Promise<SampleFile[]> {
  const names = folder === undefined ? [] : await readdir(folder).catch(() => []);
  const known = names.map(sampleFileOf).filter((sample) => sample !== undefined);
  return known.toSorted((a, b) => a.step - b.step || a.kind.localeCompare(b.kind));
}

/** Whether a picture is all there: each PNG ends alike, and one that is being written does not yet. */
export function isWholePng(bytes: Uint8Array): boolean {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(-8);
  return end.toString('latin1').startsWith('IEND');
}
