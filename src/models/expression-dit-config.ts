import {
  type TransformerConfig,
  checkClasses,
  checkSizes,
  checkTransformer,
  classesSetting,
  sizeSettings,
  timeSettings,
} from './dit-config.ts';
import { type SettingsOf, withDefaults } from './kinds/setting.ts';

/** The sizes of a Diffusion Transformer over genes. They travel with its weights. */
export interface ExpressionDiTConfig extends TransformerConfig {
  /** Genes of a token. The last token is filled up with zeros. */
  readonly groupSize: number;
  /** Genes of a cell. */
  readonly genes: number;
  /** 0 for a model without labels. */
  readonly classes: number;
}

export type ResolvedExpressionDiTConfig = Required<ExpressionDiTConfig>;

export const expressionSettings: SettingsOf<ExpressionDiTConfig> = {
  ...sizeSettings,
  groupSize: { type: 'whole', from: 1, says: 'genes of a token' },
  genes: { type: 'whole', from: 1, fromData: true, says: 'genes of a cell' },
  classes: classesSetting,
  ...timeSettings,
};

/**
 * Fills in defaults and checks that the sizes fit together.
 * @throws RectiflowError that names the field, what it must be and what it is
 */
export function resolveExpressionDiTConfig(config: ExpressionDiTConfig): ResolvedExpressionDiTConfig {
  const resolved = withDefaults(expressionSettings, { ...config }) as unknown as ResolvedExpressionDiTConfig;
  const { genes, groupSize, classes } = resolved;
  checkTransformer('ExpressionDiT', resolved, { genes, groupSize });
  checkClasses('ExpressionDiT', classes);
  checkSizes('ExpressionDiT', { tokens: Math.ceil(genes / groupSize) });
  return resolved;
}
