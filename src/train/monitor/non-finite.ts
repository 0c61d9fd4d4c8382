// In plain words: where the numbers of a step were first NaN or infinite.
import type { Finding } from '../../backends/backend.ts';
import { type Program, formatType } from '../../program/index.ts';
import { type Shape, sizeOf } from '../../tensor/shape.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { CompiledStep, StepInputs } from '../compiled-step.ts';

/** @param sample its place in the batch, that of all ranks */
export type NameOfSample = (sample: number) => string;

/**
 * Runs a step again under inspection, which changes no state, and tells what was first NaN or infinite: an input, a weight, or
 * what an op made, in which layer, in which pass, for which samples.
 * @param nameOf calls a sample by more than its place in the batch
 * @param sampleShape of the samples; the task's by default
 * @returns sentences; undefined where all is finite
 */
export async function explainNonFinite(
  step: CompiledStep,
  inputs: StepInputs,
  nameOf?: NameOfSample,
  sampleShape?: Shape,
): Promise<string | undefined> {
  const begin = inputs['firstSample']?.[0] ?? 0;
  for (const piece of await step.pieces(inputs, sampleShape)) {
    const finding = await piece.executable.inspect(piece.inputs);
    const firstSample = begin + piece.firstSample;
    if (finding)
      return describeFinding(piece.executable.program, finding, { firstSample, nameOf, labels: step.labels });
  }
  return undefined;
}

export interface FindingContext {
  /** The index of the first of the program's samples; 0 by default. */
  readonly firstSample?: number;
  readonly nameOf?: NameOfSample | undefined;
  /** What state is that is no weight, in words. */
  readonly labels?: ReadonlyMap<string, string>;
}

/** @param program of the executable that has inspected it: its first input is x0 [B, ...], one of its outputs is `losses` */
export function describeFinding(
  program: Program,
  finding: Finding,
  { firstSample = 0, nameOf, labels = new Map() }: FindingContext = {},
): string {
  const { tensor, node, largestInput } = finding;
  const what = describeNumbers(finding);
  const samples = describeSamples(program, finding, firstSample, nameOf);
  if (tensor.origin === 'input') {
    const subject = tensor.name === 'x0' ? 'The data hold' : `The input ${tensor.name} holds`;
    return `${subject} ${what}${samples}.`;
  }
  if (node === undefined) {
    return `The ${labels.get(tensor.name!) ?? `weight ${tensor.name}`} held ${what} before the step already.`;
  }
  const pass = isForward(program, node) ? 'forward' : 'backward';
  return (
    `The first bad value is in the ${pass} pass, where ${node.op.name} ${describeLayer(program, node)} ` +
    `makes ${formatType(tensor)}: ${what}${samples}. ` +
    `All that it reads is finite, with magnitudes up to ${largestInput.toPrecision(3)}.`
  );
}

function describeNumbers({ tensor, nans, infinities }: Finding): string {
  const kinds = [
    ...(nans > 0 ? [`NaN ${times(nans)}`] : []),
    ...(infinities > 0 ? [`infinity ${times(infinities)}`] : []),
  ];
  return `${kinds.join(' and ')} among ${sizeOf(tensor.shape)} ${sizeOf(tensor.shape) === 1 ? 'number' : 'numbers'}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** Which samples of the batch, where the first axis is that of the batch, or of the batch with the tokens. */
function describeSamples(
  program: Program,
  { tensor, node, rows }: Finding,
  first: number,
  nameOf?: NameOfSample,
): string {
  const batch = program.inputs.find(({ name }) => name === 'x0')?.shape[0];
  const perSample = batch === undefined ? NaN : (tensor.shape[0] ?? NaN) / batch;
  // The first axis of a weight's gradient may be as long by chance.
  if (!Number.isInteger(perSample) || !(node === undefined || isForward(program, node))) return '';
  const samples = [...new Set(rows.map((row) => first + Math.floor(row / perSample)))];
  if (samples.length === batch) return ', in all samples of the batch';
  const shown = samples.slice(0, mostSamples);
  const more = samples.length > mostSamples ? ` and ${samples.length - mostSamples} more` : '';
  const isOne = samples.length === 1;
  const names = nameOf ? `, which ${isOne ? 'is' : 'are'} ${shown.map(nameOf).join(', ')}${more}` : '';
  return `, in ${isOne ? 'sample' : 'samples'} ${shown.join(', ')}${more} of the batch (counted from 0)${names}`;
}

const mostSamples = 8;

/** The weights that a node reads; else those of the nearest node that its values come from. */
function describeLayer(program: Program, node: Node): string {
  const makers = makersOf(program);
  const reached = new Set([node]);
  for (const reader of reached) {
    const weights = reader.inputs.filter(({ origin }) => origin === 'state').map(({ name }) => name!);
    if (weights.length > 0) return `${reader === node ? 'of' : 'after'} ${weights.join(', ')}`;
    for (const tensor of reader.inputs) {
      const maker = makers.get(tensor);
      if (maker) reached.add(maker);
    }
  }
  return 'of the inputs';
}

/** Whether the loss, of the step or of a sample, depends on what a node makes. */
function isForward(program: Program, node: Node): boolean {
  const makers = makersOf(program);
  const ends = ['loss', 'losses'].flatMap((name) => program.outputs.get(name) ?? []);
  const reached = new Set(ends.flatMap((end) => makers.get(end) ?? []));
  for (const reader of reached) {
    for (const tensor of reader.inputs) {
      const maker = makers.get(tensor);
      if (maker) reached.add(maker);
    }
  }
  return reached.has(node);
}

function makersOf({ nodes }: Program): ReadonlyMap<Tensor, Node> {
  return new Map(nodes.flatMap((node) => node.outputs.map((tensor) => [tensor, node] as const)));
}
