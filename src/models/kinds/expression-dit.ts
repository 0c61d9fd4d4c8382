import { counted } from '../../tensor/counted.ts';
import { ExpressionDiT } from '../expression-dit.ts';
import { type ResolvedExpressionDiTConfig, expressionSettings } from '../expression-dit-config.ts';
import { describeClasses, describeTransformer } from './dit.ts';
import type { Kind } from './kind.ts';

/** Gene expression. */
export interface ExpressionModel extends ResolvedExpressionDiTConfig {
  readonly kind: 'expression-dit';
}

export const expressionDiT: Kind<ExpressionModel> = {
  settings: expressionSettings,
  fits: ({ shape }) => shape.length === 1,
  fromData: ({ shape, classes = 0 }) => ({ classes, genes: shape[0]! }),
  create: (config) => new ExpressionDiT(config),
  describe(config) {
    const { genes, groupSize, classes } = config;
    const tokens = `${counted(Math.ceil(genes / groupSize), 'token')} of ${counted(groupSize, 'gene')}`;
    return {
      samples: `${counted(genes, 'gene')}, ${describeClasses(classes)}`,
      network: describeTransformer(config, tokens),
    };
  },
};
