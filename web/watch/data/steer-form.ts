// From what was typed to what a run is asked.
import type { Json, SteerSettings } from '../../../src/page/contract.ts';

/** As it was typed; empty for what stays. */
export interface SteerForm {
  learningRate: string;
  sampleEvery: string;
  checkpointEvery: string;
  logEvery: string;
  guidance: string;
  sampler: string;
  sampleSteps: string;
}

/** @returns a sentence where something is no number; whether a number is allowed the run itself says */
export function steerSettings(form: SteerForm): SteerSettings | string {
  const numbers: Record<string, number> = {};
  for (const [name, text] of Object.entries(form) as [keyof SteerForm, string][]) {
    if (name === 'sampler' || text.trim() === '') continue;
    const value = Number(text);
    if (!Number.isFinite(value)) return `${name}: this has to be a number, such as 500 or 1e-3, not ${text}.`;
    numbers[name] = value;
  }
  const { guidance, sampleSteps, ...top } = numbers;
  const sample = {
    ...(guidance === undefined ? {} : { guidance }),
    ...(sampleSteps === undefined ? {} : { steps: sampleSteps }),
    ...(form.sampler === '' ? {} : { sampler: form.sampler }),
  };
  const settings = { ...top, ...(Object.keys(sample).length === 0 ? {} : { sample }) };
  return Object.keys(settings).length === 0 ? 'Nothing was changed: all fields are empty.' : settings;
}

/** @param path dotted @returns undefined where it leads nowhere */
export function atPath(value: Json, path: string): Json | undefined {
  let at: Json | undefined = value;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as { readonly [name: string]: Json })[name];
  }
  return at;
}
