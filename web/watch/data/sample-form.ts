// From what was typed to the samples that are asked for.
import type { SampleRequest, SamplingChoices } from '../../../src/page/contract.ts';

/** As it was typed; empty for what the run's config says. */
export interface SampleForm {
  /** Numbers or names with commas between. */
  labels: string;
  /** One a line. */
  prompts: string;
  guidance: string;
  sampler: string;
  steps: string;
  seed: string;
  count: string;
  emaLength: string;
  weights: string;
  checkpoint: string;
}

export const emptyForm: Readonly<SampleForm> = {
  labels: '',
  prompts: '',
  guidance: '',
  sampler: '',
  steps: '',
  seed: '',
  count: '',
  emaLength: '',
  weights: '',
  checkpoint: '',
};

const NUMBERS = ['guidance', 'steps', 'seed', 'count', 'emaLength', 'checkpoint'] as const;

/**
 * @param isOne whether it is one sample, and commas belong to the name of its class
 * @returns a sentence where something is no number; whether it is allowed the server says
 */
export function sampleRequest(
  form: SampleForm,
  choices: SamplingChoices,
  isOne = false,
): SampleRequest | string {
  const request: Record<string, unknown> = {};
  for (const name of NUMBERS) {
    const text = form[name].trim();
    if (text === '') continue;
    const value = Number(text);
    if (!Number.isFinite(value)) return `${name}: this has to be a number, not ${text}.`;
    request[name] = value;
  }
  if (form.sampler !== '') request['sampler'] = form.sampler;
  if (form.weights !== '') request['weights'] = form.weights;
  const labels = list(form.labels, isOne ? '\n' : ',');
  if (choices.classes > 0 && labels.length > 0) {
    request['labels'] = labels.map((label) => (/^\d+$/.test(label) ? Number(label) : label));
  }
  const prompts = list(form.prompts, '\n');
  if (choices.takesPrompts && prompts.length > 0) request['prompts'] = prompts;
  return request;
}

function list(text: string, separator: string): string[] {
  const parts = text.split(separator).map((part) => part.trim());
  return parts.filter((part) => part !== '');
}
