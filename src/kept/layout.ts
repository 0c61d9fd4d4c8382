// What lies where in the folder of a run:
//
//     config.json  metrics.jsonl  notices.log  bad-steps.jsonl  samples/step-0001000.png
//     checkpoints/step-0001000/{model,ema,optimizer,averages}.safetensors, state.json
//     averages/step-0001000.safetensors
import { fileError, systemProblem } from '../tensor/errors.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import type { Checkpoint, CheckpointPart } from '../train/run-store.ts';

export const CONFIG = 'config.json';
export const METRICS = 'metrics.jsonl';
export const NOTICES = 'notices.log';
export const BAD_STEPS = 'bad-steps.jsonl';
export const CHECKPOINTS = 'checkpoints';
export const SAMPLES = 'samples';
export const AVERAGES = 'averages';
export const STATE = 'state.json';

/** Folders that a run has, also where nothing is in them yet. */
export const runFolders: readonly string[] = [CHECKPOINTS, SAMPLES];

/** What the pictures of a run's samples are called where they are shown. */
export const pictureTags = { grid: 'samples', path: 'samples_path', sizes: 'samples_sizes' } as const;

const PARTS: readonly CheckpointPart[] = ['model', 'ema', 'optimizer', 'averages'];
const STEP_FOLDER = /^step-(\d{7,})$/;
const STORED = /^step-(\d{7,})\.safetensors$/;

/** `step-0001000` */
export function stepName(step: number): string {
  return `step-${String(step).padStart(7, '0')}`;
}

/** Of the folders in that of checkpoints: the steps that have one, ascending. */
export function stepsOf(names: readonly string[]): number[] {
  const steps = names.flatMap((name) => STEP_FOLDER.exec(name)?.[1] ?? []).map(Number);
  return steps.toSorted((a, b) => a - b);
}

/** The step that a file in the folder of averages is of; undefined of another one. */
export function stepOfStored(name: string): number | undefined {
  const [, step] = STORED.exec(name) ?? [];
  return step === undefined ? undefined : Number(step);
}

export function partFile(part: CheckpointPart): string {
  return `${part}.safetensors`;
}

/** The tensors of a checkpoint, by the names of their files. */
export function filesOf(checkpoint: Pick<Checkpoint, CheckpointPart>): Map<string, StoredTensors> {
  return new Map(PARTS.flatMap((part) => (checkpoint[part] ? [[partFile(part), checkpoint[part]]] : [])));
}

/** What the header of each of these files tells. */
export function headerOf({ metadata }: Pick<Checkpoint, 'metadata'>): Record<string, string> {
  return { format: 'pt', ...metadata };
}

/** A line of notices.log. @param text printable */
export function noticeLine(step: number, text: string): string {
  return `step ${step}: ${text}\n`;
}

/** @param steps of the checkpoints that remain */
export function cannotBeSaved(
  path: string,
  steps: readonly number[],
  cause: unknown,
  {
    problem = systemProblem(cause),
    advice = 'Free some space or check the disk',
  }: { readonly problem?: string; readonly advice?: string } = {},
): Error {
  const newest = steps.at(-1);
  const intact = newest === undefined ? '' : `; earlier ones, up to ${stepName(newest)}, are untouched`;
  return fileError(path, `the checkpoint cannot be saved: ${problem}${intact}`, advice, cause);
}
