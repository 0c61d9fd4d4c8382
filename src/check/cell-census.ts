import type { ExpressionReport } from './data-report.ts';
import type { SourceFacts } from '../data/source.ts';
import type { ExpressionRecord } from '../data/expression/record.ts';
import { parseExpressionRecord } from '../sources/expression/record.ts';

/** What `rectiflow data check` tells of cells alone. */
export class ExpressionCensus {
  readonly #record: ExpressionRecord;
  /** What the model sees of a gene that is not expressed. */
  readonly #unexpressed: Float32Array;
  #cells = 0;
  #zeros = 0;
  #emptyCells = 0;

  /** Nothing for samples that are no cells. */
  static of({ record, name }: SourceFacts): ExpressionCensus | undefined {
    return record?.['kind'] === 'expression'
      ? new ExpressionCensus(parseExpressionRecord(record, name))
      : undefined;
  }

  private constructor(record: ExpressionRecord) {
    const { genes, center, deviation } = record;
    this.#record = record;
    this.#unexpressed = Float32Array.from(
      genes,
      (_, gene) => (0 - center[gene % center.length]!) / deviation[gene % deviation.length]!,
    );
  }

  add(values: Float32Array): void {
    const zeros = values.reduce((sum, value, gene) => sum + (value === this.#unexpressed[gene] ? 1 : 0), 0);
    this.#cells++;
    this.#zeros += zeros;
    if (zeros === values.length) this.#emptyCells++;
  }

  report(): ExpressionReport {
    const { genes, label, normalize, target, totals } = this.#record;
    return {
      genes: genes.length,
      ...(label !== undefined && { label }),
      normalize,
      target,
      areCounts: totals !== undefined,
      zeros: this.#zeros / Math.max(1, this.#cells * genes.length),
      emptyCells: this.#emptyCells,
    };
  }
}
