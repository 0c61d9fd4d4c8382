// The gradient of a modulated norm, and that of the gated addition whose result the norm read: both go through the same rows.
import { gatedResidualGradOp } from '../../../ops/gated-residual.ts';
import { layerNormModulateGradOp } from '../../../ops/layer-norm-modulate.ts';
import type { Program } from '../../../program/index.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { modulateGrad } from '../kernels/layer-norm-modulate.ts';
import { rowsStayTogether } from '../rows/index.ts';
import { Joining, standIn } from './joined.ts';

/** In: those of layerNormModulateGrad, branch, gate. Out: dx, dshift, dscale, dbranch, dgate. */
const kernel: Kernel = ({ inputs, outputs }, { tuning }) => {
  const [branch, gate] = inputs.slice(-2) as [Tensor, Tensor];
  const [dbranch, dgate] = outputs.slice(3) as [Tensor, Tensor];
  return modulateGrad(
    { inputs: inputs.slice(0, -2), outputs, gated: { branch, gate, dbranch, dgate } },
    tuning,
  );
};

export function joinGatedGradients(program: Program): Program {
  const joining = new Joining(program);
  for (const norm of joining.nodes) {
    if (norm.op !== layerNormModulateGradOp) continue;
    const dx = norm.outputs[0]!;
    const gated = joining
      .readersOf(dx)
      .find(({ op, inputs }) => op === gatedResidualGradOp && inputs[0] === dx && inputs[1] !== dx);
    // Rows in several dispatches bind their totals, too, which would be too many buffers.
    if (gated === undefined || !rowsStayTogether(dx.shape.at(-1)!)) continue;
    const both = standIn({
      name: 'layerNormModulateGrad, gatedResidualGrad',
      kernel,
      nodes: [norm, gated],
      inputs: [...norm.inputs, ...gated.inputs.slice(1)],
      outputs: [...norm.outputs, ...gated.outputs],
    });
    joining.replace([norm, gated], [both], 'first');
  }
  return joining.program();
}
