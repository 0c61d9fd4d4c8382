// The last linear layer of a residual branch together with the gated addition that follows it.
import { gatedResidualOp } from './gated-residual.ts';
import { linearOp } from './linear.ts';
import { type Fused, apply, apply1, checkRank, float32 } from './op.ts';

type None = Record<string, never>;

/**
 * h [B, N, I], w [O, I], b [O], x [B, N, O], gate [B, O] -> y = x + gate branch and branch = h w^T + b, both [B, N, O].
 * The branch is an output because the gradient of the gate needs it. Programs get this op by fusion.
 */
export const linearGatedResidualOp: Fused<None> = {
  kind: 'fused',
  name: 'linearGatedResidual',
  infer([h, w, b, x, gate]) {
    checkRank('linearGatedResidual', 'h', '[B, N, I]', 3, h!.shape);
    const [branch] = linearOp.infer([h!, w!, b!], { activation: 0 });
    return [...gatedResidualOp.infer([x!, branch!, gate!], {}), float32(branch!.shape)];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [1] }),
  optionalOutputs: [1],
  decompose([h, w, b, x, gate]) {
    const branch = apply(linearOp, [h!, w!, b!], { activation: 0 })[0]!;
    return [apply1(gatedResidualOp, [x!, branch, gate!], {}), branch];
  },
  fusions: () => [
    {
      producer: linearOp,
      consumer: gatedResidualOp,
      join({ inputs, outputs }, { inputs: [x, branch, gate], outputs: [y] }) {
        const fits = outputs.length === 1 && outputs[0] === branch && inputs.length === 3;
        return fits ? { inputs: [...inputs, x!, gate!], outputs: [y!, branch!], attributes: {} } : undefined;
      },
    },
  ],
};
