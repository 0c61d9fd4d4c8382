import {
  type ImageTransformerConfig,
  type Resolved,
  checkImageTransformer,
  checkSizes,
  configError,
  timeSettings,
} from './dit-config.ts';
import { withDefaults } from './kinds/setting.ts';

/** The sizes of a Diffusion Transformer that is told a caption. They travel with its weights. */
export interface TextDiTConfig extends ImageTransformerConfig {
  readonly text: TextConfig;
}

/** What a caption is for the model. */
export type TextConfig = TokenTextConfig | EmbeddedTextConfig;

/** Tokens, which a small transformer that is trained with the model encodes. */
export interface TokenTextConfig {
  readonly kind: 'tokens';
  /** Tokens are from 0 to below this. */
  readonly vocabulary: number;
  /** Tokens of a caption, with its padding. */
  readonly length: number;
  /** Features of a token in the text encoder; a multiple of `heads`. */
  readonly width: number;
  /** Blocks of the text encoder. */
  readonly depth: number;
  readonly heads: number;
  /** The tokens of the empty caption, at least one: what the model is told of a sample of which it is told nothing. */
  readonly empty: readonly number[];
}

/** The embeddings that a text encoder, which is not trained, made of it before. */
export interface EmbeddedTextConfig {
  readonly kind: 'embeddings';
  /** Tokens of a caption, with its padding. */
  readonly length: number;
  /** Features of an embedding. */
  readonly width: number;
  /** Those of the empty caption: what the model is told of a sample of which it is told nothing. */
  readonly empty: EmptyCaption;
}

export interface EmptyCaption {
  /** [tokens, width], of at least one token. */
  readonly embeddings: ArrayLike<number>;
  /** [width] */
  readonly pooled: ArrayLike<number>;
}

export type ResolvedTextDiTConfig = Resolved<TextDiTConfig>;

/**
 * Fills in defaults and checks that the sizes fit together.
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function resolveTextDiTConfig(config: TextDiTConfig): ResolvedTextDiTConfig {
  const resolved = withDefaults(timeSettings, { ...config }) as unknown as ResolvedTextDiTConfig;
  const { text } = resolved;
  checkImageTransformer(resolved);
  if (text.kind === 'tokens') checkTokens(text);
  else checkEmbeddings(text);
  return resolved;
}

function checkTokens({ vocabulary, length, width, depth, heads, empty }: TokenTextConfig): void {
  checkSizes('TextDiT', { vocabulary, length, width, depth, heads }, 'text.');
  if (width % heads !== 0)
    throw configError('TextDiT', 'text.heads', `a divisor of the width ${width}`, heads);
  const isToken = (token: number): boolean => Number.isInteger(token) && token >= 0 && token < vocabulary;
  if (empty.length < 1 || empty.length > length || !empty.every(isToken)) {
    const wanted = `1 to ${length} whole numbers from 0 to ${vocabulary - 1}`;
    throw configError('TextDiT', 'text.empty', wanted, `[${empty.join(', ')}]`);
  }
}

function checkEmbeddings({ length, width, empty: { embeddings, pooled } }: EmbeddedTextConfig): void {
  checkSizes('TextDiT', { length, width }, 'text.');
  const tokens = embeddings.length / width;
  if (!Number.isInteger(tokens) || tokens < 1 || tokens > length) {
    const wanted = `of 1 to ${length} tokens of ${width} numbers`;
    throw configError('TextDiT', 'text.empty.embeddings', wanted, `${embeddings.length} numbers`);
  }
  if (pooled.length !== width) {
    throw configError('TextDiT', 'text.empty.pooled', `${width} numbers`, pooled.length);
  }
}
