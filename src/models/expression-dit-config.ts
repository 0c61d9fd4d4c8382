import { checkSizes, checkTransformer } from './dit-config.ts';

/** The sizes of a Diffusion Transformer over genes. They travel with its weights. */
export interface ExpressionDiTConfig {
  /** Features of a token; a multiple of `heads`. */
  readonly width: number;
  /** Transformer blocks. */
  readonly depth: number;
  /** Attention heads of a block. */
  readonly heads: number;
  /** Genes of a token. The last token is filled up with zeros. */
  readonly groupSize: number;
  /** Genes of a cell. */
  readonly genes: number;
  /** 0 for a model without labels. */
  readonly classes: number;
  /** What t in [0, 1] is multiplied with before it is embedded; 1000 by default. */
  readonly timeScale?: number;
}

export type ResolvedExpressionDiTConfig = Required<ExpressionDiTConfig>;

/**
 * Fills in defaults and checks that the sizes fit together.
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function resolveExpressionDiTConfig(config: ExpressionDiTConfig): ResolvedExpressionDiTConfig {
  const resolved = { timeScale: 1000, ...config };
  const { genes, groupSize } = resolved;
  checkTransformer('ExpressionDiT', resolved, { genes, groupSize });
  checkSizes('ExpressionDiT', { tokens: Math.ceil(genes / groupSize) });
  return resolved;
}
