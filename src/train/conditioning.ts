import type { Annotation } from '../data/source.ts';
import type { ModelConfig } from './config.ts';
import { classesOf } from './resolve-config.ts';

/** Between what people know of a sample, and the numbers that a model is told. */
export interface Conditioning {
  /** @returns the model's conditions of these samples, by name */
  encode(annotations: readonly Annotation[]): Record<string, Int32Array>;
}

/** @throws RectiflowError when a tokenizer cannot be read */
export async function openConditioning(model: ModelConfig): Promise<Conditioning> {
  if (classesOf(model) === 0) return { encode: () => ({}) };
  return { encode: (annotations) => ({ labels: Int32Array.from(annotations, ({ label }) => label!) }) };
}
