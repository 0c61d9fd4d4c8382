import type { AdamWSettings } from '../../../ops/adamw.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Kernel, KernelContext, Scratch } from '../dispatch.ts';
import { eachItem } from '../items.ts';

/**
 * The scalars once for all parameters, so that an update binds no more buffers than every device can.
 *
 * 1 - beta^t = -expm1(t log beta): of the power itself float32 would have kept too few digits.
 */
function scalarsOf(
  { inputs, attributes }: Node,
  { once }: KernelContext,
): { readonly scalars: Scratch; readonly dispatches: readonly Dispatch[] } {
  const [scale, rate, step, counts] = inputs.slice(4, 8) as [Tensor, Tensor, Tensor, Tensor];
  const weight = inputs[9];
  const { beta1, beta2 } = attributes as AdamWSettings;
  const ids = [scale, rate, step, counts, weight].map((tensor) => tensor?.id ?? '-').join(' ');
  const scalars: Scratch = { scratch: `adamw ${ids} ${beta1} ${beta2}`, elements: 6 };
  if (!once(scalars.scratch)) return { scalars, dispatches: [] };
  const dispatch = eachItem({
    arguments: [
      { name: 'scale', operand: scale },
      { name: 'rate', operand: rate },
      { name: 'step', operand: step },
      { name: 'counts', operand: counts },
      ...(weight ? [{ name: 'weight', operand: weight }] : []),
      { name: 's', operand: scalars, isWritten: true },
    ],
    count: 1,
    body: `let t = f32(step(0u));
  set_s(0u, select(0.0f, 1.0f, counts(0u) != 0));
  set_s(1u, scale(0u));
  set_s(2u, rate(0u));
  set_s(3u, rate(0u) / -expm1_(t * u.log1));
  set_s(4u, 1.0f / sqrt(-expm1_(t * u.log2)));
  set_s(5u, ${weight ? 'weight(0u)' : '0.0f'});`,
    numbers: { log1: Math.log(beta1), log2: Math.log(beta2) },
  });
  return { scalars, dispatches: [dispatch] };
}

const adamw: Kernel = (node, context) => {
  const { inputs, attributes } = node;
  const [param, grad, m, v] = inputs as [Tensor, Tensor, Tensor, Tensor];
  const average = inputs[8];
  const { beta1, beta2, epsilon, weightDecay } = attributes as AdamWSettings;
  const { scalars, dispatches } = scalarsOf(node, context);
  const changing = (name: string, operand: Tensor): Argument => ({
    name,
    operand,
    isWritten: true,
    isByItem: true,
  });
  const update = eachItem({
    arguments: [
      changing('param', param),
      { name: 'grad', operand: grad, isByItem: true },
      changing('m', m),
      changing('v', v),
      ...(average ? [changing('average', average)] : []),
      { name: 's', operand: scalars },
    ],
    count: sizeOf(param.shape),
    body: `if (s(0u) == 0.0f) { return; }
  let g = grad(i) * s(1u);
  let first = u.beta1 * m(i) + u.rest1 * g;
  let second = u.beta2 * v(i) + u.rest2 * g * g;
  let moved = param(i) * (1.0f - s(2u) * u.decay) - s(3u) * (first / (sqrt(second) * s(4u) + u.epsilon));
  set_m(i, first);
  set_v(i, second);
  set_param(i, moved);
  ${average ? 'set_average(i, average(i) + s(5u) * (moved - average(i)));' : ''}`,
    numbers: { beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2, epsilon, decay: weightDecay },
  });
  return [...dispatches, update];
};

export const adamwKernels: Readonly<Record<string, Kernel>> = { adamw, adamwAverage: adamw };
