import type { AdamWSettings } from '../../../ops/adamw.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel, Kernels, Places } from './kernel.ts';

/** What a scalar holds now. */
const scalar = ({ numbersOf }: Places, tensor: Tensor): number => numbersOf(tensor)[0]!;

export const adamw: Kernel = {
  bind({ inputs, attributes }, places, kernels) {
    const [param, grad, m, v, gradScale, learningRate, step] = inputs as Tensor[] & { length: 8 };
    const { beta1, beta2, epsilon, weightDecay } = attributes as AdamWSettings;
    const fixed = [sizeOf(param!.shape), ...[param!, grad!, m!, v!].map(places.at)];
    return () => {
      if (scalar(places, inputs[7]!) === 0) return;
      const rate = scalar(places, learningRate!);
      const time = scalar(places, step!);
      kernels.adamw(
        ...fixed,
        scalar(places, gradScale!),
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        epsilon,
        rate / (1 - beta1 ** time),
        Math.sqrt(1 - beta2 ** time),
        1 - rate * weightDecay,
      );
    };
  },
};

function lerp(tensors: readonly Tensor[], places: Places, kernels: Kernels): () => void {
  const [target, value, weight, counts] = tensors;
  const fixed = [sizeOf(target!.shape), places.at(target!), places.at(value!)];
  return () => {
    if (scalar(places, counts!) !== 0) kernels.lerp(...fixed, scalar(places, weight!));
  };
}

export const lerpAssign: Kernel = { bind: ({ inputs }, places, kernels) => lerp(inputs, places, kernels) };

export const adamwAverage: Kernel = {
  bind(node, places, kernels) {
    const update = adamw.bind({ ...node, inputs: node.inputs.slice(0, 8) }, places, kernels);
    const [param, counts, average, weight] = [0, 7, 8, 9].map((i) => node.inputs[i]!);
    const take = lerp([average!, param!, weight!, counts!], places, kernels);
    return () => {
      update();
      take();
    };
  },
};
