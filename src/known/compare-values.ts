// What the values of data mean, against what a checkpoint's meant: genes, normalisation and scale, the scale of latents.
import type { ExpressionRecord } from '../data/expression/record.ts';
import { parseExpressionRecord } from '../sources/expression/record.ts';
import { repeatedNames } from '../data/alike.ts';
import { type LatentRecord, describePerChannel, latentRecordOf } from '../data/latents.ts';
import { listSome } from '../data/list-some.ts';
import { membersOf } from '../data/source-view.ts';
import type { Source } from '../data/source.ts';
import { dataError } from '../tensor/errors.ts';
import { type Comparison, type Difference, unchanged } from './data-difference.ts';
import { type DataRecord, genesOf } from './data-record.ts';

type ValuesRecord = DataRecord['record'];

/** Centres and deviations that differ by less, in proportion, come from the order of additions. */
const roundingError = 1e-4;

/**
 * Gives samples the values that the model knows: genes by their names, in the checkpoint's scale.
 * @throws RectiflowError where no scale makes them so: genes are missing, or have no names of their own
 */
export function compareValues(source: Source, { record: known, told }: DataRecord): Comparison {
  const { record: now } = source;
  // Without a record they were images, unless the checkpoint is one that tells nothing.
  if (known === undefined && told === undefined) return unchanged(source);
  if (genesOf(known) && genesOf(now)) {
    return compareGenes(
      source,
      parseExpressionRecord(now, source.name),
      parseExpressionRecord(known, 'the checkpoint'),
    );
  }
  const [latents, before] = [latentRecordOf(now), latentRecordOf(known)];
  if (latents && before) return compareLatents(source, latents, before);
  const names = [...new Set([...Object.keys(known ?? {}), ...Object.keys(now ?? {})])];
  const changes = changesOf(known ?? {}, now ?? {}, names);
  if (changes.length === 0) return unchanged(source);
  const text =
    known?.['kind'] === now?.['kind']
      ? `values have another meaning: ${listSome(changes)}`
      : `values are ${kindOf(now)}, where the checkpoint has ${kindOf(known)}`;
  return { source, differences: [{ text, ifAccepted: 'takes them as they are now' }] };
}

/** Two autoencoders say the same of no image; two scales show a model the same latents as others. */
function compareLatents(source: Source, now: LatentRecord, known: LatentRecord): Comparison {
  const differences: Difference[] = [];
  const [own, wanted] = [now.autoencoder, known.autoencoder].map((fingerprint) => fingerprint?.slice(0, 12));
  if (own !== undefined && wanted !== undefined && now.autoencoder !== known.autoencoder)
    differences.push({
      text: `they are latents of another autoencoder (${own}) than the checkpoint's (${wanted})`,
      ifAccepted: 'takes them as they are, which mean other pictures than those that the model knows',
    });
  const changes = (['scale', 'shift'] as const)
    .filter((name) => JSON.stringify(known[name]) !== JSON.stringify(now[name]))
    .map((name) => `${name} ${describePerChannel(known[name])} -> ${describePerChannel(now[name])}`);
  if (changes.length > 0)
    differences.push({
      text: `values have another meaning: ${changes.join(', ')}`,
      ifAccepted: 'takes them as they are now',
    });
  if (own !== undefined || wanted === undefined) return { source, differences };
  differences.push({
    text: `nothing tells that they are of the autoencoder that the checkpoint's were of (${wanted})`,
  });
  const record = { ...now, autoencoder: known.autoencoder };
  return { source: { ...membersOf(source), record }, differences };
}

function kindOf(record: ValuesRecord): string {
  return record === undefined ? 'images' : String(record['kind']);
}

/** `target 10000 -> 1000` for each member that is not the same. */
function changesOf<T extends object>(before: T, now: T, names: readonly (keyof T & string)[]): string[] {
  return names.flatMap((name) => {
    const [old, current] = [before, now].map((record) => JSON.stringify(record[name]) ?? 'nothing');
    return old === current ? [] : `${name} ${old} -> ${current}`;
  });
}

function compareGenes(source: Source, now: ExpressionRecord, known: ExpressionRecord): Comparison {
  const columns = columnsOf(source.name, now.genes, known.genes);
  const taken = new Set(columns);
  const differences: Difference[] = [];
  const added = now.genes.filter((_, column) => !taken.has(column));
  if (added.length > 0)
    differences.push({ text: `${genesCalled(added)} new`, ifAccepted: 'leaves them out' });
  else if (columns.some((column, place) => column !== place))
    differences.push({ text: 'its genes stand in another order: values are taken by name' });
  const changes = changesOf(known, now, ['normalize', 'target']);
  const inOrder: ExpressionRecord = {
    ...now,
    genes: known.genes,
    center: picked(now.center, columns),
    deviation: picked(now.deviation, columns),
  };
  if (changes.length > 0) {
    differences.push({
      text: `cells are normalised otherwise: ${changes.join(', ')}`,
      ifAccepted: 'takes their values as they are now',
    });
    return { source: rescaled(source, columns, inOrder, inOrder), differences };
  }
  if (isRescaled(inOrder, known))
    differences.push({
      text: "its genes have other means or deviations: values keep the checkpoint's scale",
    });
  if (now.label !== known.label)
    differences.push({
      text: `classes are those of ${columnCalled(now)}, where the checkpoint has ${columnCalled(known)}`,
    });
  return { source: rescaled(source, columns, inOrder, known), differences };
}

function columnCalled({ label }: ExpressionRecord): string {
  return label === undefined ? 'no column' : `obs/${label}`;
}

/** Where each gene of the model stands in the data. */
function columnsOf(name: string, now: readonly string[], known: readonly string[]): number[] {
  if (now.length === known.length && known.every((gene, column) => now[column] === gene))
    return [...known.keys()];
  const columns = new Map(now.map((gene, column) => [gene, column]));
  const missing = known.filter((gene) => !columns.has(gene));
  if (missing.length > 0) {
    const problem = `${genesCalled(missing)} missing, of the ${known.length} that the model knows`;
    throw dataError(name, problem, 'Give a file that has them, or train a new run');
  }
  const twice = [now, known].flatMap(repeatedNames);
  if (twice.length > 0) {
    const problem = `genes stand in another order than in the checkpoint, and ${listSome(new Set(twice))} more than once`;
    throw dataError(name, problem, 'Give each gene a name of its own, or put them in the order of before');
  }
  return known.map((gene) => columns.get(gene)!);
}

/** Of each column, where there is not one number for all. */
function picked(numbers: readonly number[], columns: readonly number[]): readonly number[] {
  return numbers.length === 1 ? numbers : columns.map((column) => numbers[column]!);
}

function isRescaled(now: ExpressionRecord, known: ExpressionRecord): boolean {
  const differ = (a: number, b: number): boolean =>
    Math.abs(a - b) > roundingError * Math.max(Math.abs(a), Math.abs(b));
  return (['center', 'deviation'] as const).some(
    (name) =>
      now[name].length !== known[name].length ||
      now[name].some((value, gene) => differ(value, known[name][gene]!)),
  );
}

/**
 * @param columns where each value is now
 * @param now what values mean, after they are in order
 * @param known what they are made to mean
 */
function rescaled(
  source: Source,
  columns: readonly number[],
  now: ExpressionRecord,
  known: ExpressionRecord,
): Source {
  const genes = columns.length;
  const factor = (scale: readonly number[], gene: number): number => scale[gene % scale.length]!;
  const isSame = columns.every(
    (column, gene) =>
      column === gene &&
      factor(now.center, gene) === factor(known.center, gene) &&
      factor(now.deviation, gene) === factor(known.deviation, gene),
  );
  if (isSame && source.shape[0] === genes) return { ...membersOf(source), record: known };
  return {
    ...membersOf(source),
    record: known,
    shape: [genes],
    async read(index, out, offset, key) {
      const values = new Float32Array(source.shape[0]!);
      const annotation = await source.read(index, values, 0, key);
      for (let gene = 0; gene < genes; gene++) {
        const value = values[columns[gene]!]!;
        const shift = factor(now.center, gene) - factor(known.center, gene);
        const [own, wanted] = [factor(now.deviation, gene), factor(known.deviation, gene)];
        out[offset + gene] = shift === 0 && own === wanted ? value : (value * own + shift) / wanted;
      }
      return annotation;
    },
  };
}

function genesCalled(genes: readonly string[]): string {
  return genes.length === 1 ? `the gene ${genes[0]} is` : `the genes ${listSome(genes)} are`;
}
