// The bodies of requests, checked: settings that the API checks itself are only looked at for their types.
import { z } from 'zod';
import { recipes } from '../../recipes/index.ts';
import { Refusal } from '../refusal.ts';
import type { ConfigRequest, PathRequest, PlanRequest, SampleRequest, SteerRequest } from '../contract.ts';
import type { AskedConfig } from './calls.ts';

const names = z.array(z.string().max(10_000)).max(1000);

const asked = {
  labels: z
    .array(z.union([z.number().int().nonnegative(), z.string()]))
    .max(10_000)
    .exactOptional(),
  prompts: names.exactOptional(),
  guidance: z.number().exactOptional(),
  sampler: z.string().exactOptional(),
  steps: z.number().int().positive().exactOptional(),
  seed: z.number().int().nonnegative().exactOptional(),
  weights: z.string().exactOptional(),
};
const count = z.number().int().positive().exactOptional();

const ofCheckpoint = {
  ...asked,
  emaLength: z.number().positive().exactOptional(),
  checkpoint: z.number().int().nonnegative().exactOptional(),
};

export const sampleRequest: z.ZodType<SampleRequest> = z.strictObject({ ...ofCheckpoint, count });
export const pathRequest: z.ZodType<PathRequest> = z.strictObject(ofCheckpoint);

const config = {
  recipe: z.string().exactOptional(),
  text: z.string().exactOptional(),
  settings: names.exactOptional(),
};

export const configRequest: z.ZodType<ConfigRequest> = z.strictObject(config);
export const planRequest: z.ZodType<PlanRequest> = z.strictObject({
  ...config,
  seconds: z.number().nonnegative().exactOptional(),
  machine: z.string().exactOptional(),
});

/** What settings may be is for the process that trains to say. */
export const steerRequest: z.ZodType<SteerRequest> = z.union([
  z.strictObject({ kind: z.enum(['pause', 'goOn', 'save', 'stop']) }),
  z.strictObject({ kind: z.literal('set'), settings: z.record(z.string(), z.json()) }),
  z.strictObject({ kind: z.literal('sample'), samples: z.strictObject({ ...asked, count }) }),
]) as z.ZodType<SteerRequest>;

/** @throws Refusal naming what is wrong */
export async function bodyOf<T>(request: { json(): Promise<unknown> }, schema: z.ZodType<T>): Promise<T> {
  const body = await request.json().catch(() => {
    throw new Refusal(400, 'The request is no JSON.');
  });
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'request'}: ${message}`,
  );
  throw new Refusal(400, `${problems.join('; ')}.`);
}

/** @throws Refusal where it names no recipe and brings no text, or both */
export function askedConfig({ recipe, text, settings = [] }: ConfigRequest): AskedConfig {
  if ((recipe === undefined) === (text === undefined))
    throw new Refusal(400, 'Give either the name of a recipe or the text of a config.');
  if (text !== undefined) return { text, settings };
  // Anything else would be taken for the path of a file.
  if (!Object.hasOwn(recipes, recipe!))
    throw new Refusal(400, `There is no recipe "${recipe}". Give one of ${Object.keys(recipes).join(', ')}.`);
  return { recipe: recipe!, settings };
}
