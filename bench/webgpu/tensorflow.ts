// The cases by TensorFlow.js on its backend of WebGPU.
import * as tf from '@tensorflow/tfjs-core';
import type { TfTensor } from '@tensorflow/tfjs-core';
import { type Side, headWidth } from './cases.ts';

type Named = Record<string, TfTensor>;

const linear = (x: TfTensor, w: TfTensor): TfTensor => {
  const flat = tf.reshape(x, [-1, x.shape.at(-1)!]);
  return tf.reshape(tf.matMul(flat, w, false, true), [...x.shape.slice(0, -1), w.shape[0]!]);
};
const gelu = (x: TfTensor): TfTensor => {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x)))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
};
const meanSquare = (x: TfTensor): TfTensor => tf.mean(tf.square(x));

function mlpLoss({ x, target, w1, w2 }: Named): TfTensor {
  return meanSquare(tf.sub(linear(gelu(linear(x!, w1!)), w2!), target!));
}

function modulated(x: TfTensor, shift: TfTensor, scale: TfTensor): TfTensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-6));
  return tf.add(tf.mul(tf.div(centred, deviation), tf.add(scale, 1)), shift);
}

function blockLoss({ x, modulation, qkv, out, w1, w2 }: Named): TfTensor {
  const [B, N, D] = x!.shape as [number, number, number];
  const [shift1, scale1, gate1, shift2, scale2, gate2] = tf.split(
    tf.reshape(modulation!, [B, 1, 6 * D]),
    6,
    -1,
  );
  const heads = (part: TfTensor): TfTensor =>
    tf.transpose(tf.reshape(part, [B, N, D / headWidth, headWidth]), [0, 2, 1, 3]);
  const [q, k, v] = tf.split(linear(modulated(x!, shift1!, scale1!), qkv!), 3, -1).map(heads);
  const scores = tf.mul(tf.matMul(q!, k!, false, true), 1 / Math.sqrt(headWidth));
  const o = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v!), [0, 2, 1, 3]), [B, N, D]);
  const h = tf.add(x!, tf.mul(linear(o, out!), gate1!));
  const hidden = gelu(linear(modulated(h, shift2!, scale2!), w1!));
  return meanSquare(tf.add(h, tf.mul(linear(hidden, w2!), gate2!)));
}

export async function tensorFlowSide(): Promise<Side> {
  // They make themselves known to it.
  await import('@tensorflow/tfjs-backend-webgpu');
  await import('@tensorflow/tfjs-core/dist/register_all_gradients');
  await tf.setBackend('webgpu');
  await tf.ready();
  return (of, numbers) => {
    const named: Named = Object.fromEntries(
      Object.entries(of.inputs).map(([name, shape]) => [name, tf.tensor(numbers[name]!, [...shape])]),
    );
    const read = async (result: TfTensor): Promise<number> => {
      const [value] = await result.data();
      result.dispose();
      return value!;
    };
    if (of.kind === 'product')
      return Promise.resolve({ run: () => read(tf.tidy(() => tf.sum(linear(named['x']!, named['w']!)))) });
    const names = of.kind === 'mlp' ? ['w1', 'w2'] : Object.keys(named);
    const loss = of.kind === 'mlp' ? mlpLoss : blockLoss;
    const gradients = tf.valueAndGrads((...given: TfTensor[]) =>
      loss({ ...named, ...Object.fromEntries(names.map((name, i) => [name, given[i]!])) }),
    );
    const step = (): Record<string, TfTensor> => {
      const { value, grads } = gradients(names.map((name) => named[name]!));
      if (of.kind === 'block')
        return { result: grads.reduce((total, each) => tf.add(total, tf.sum(each)), value) };
      const moved = names.map((name, i) => [name, tf.sub(named[name]!, tf.mul(1e-3, grads[i]!))]);
      return { result: value, ...(Object.fromEntries(moved) as Named) };
    };
    return Promise.resolve({
      async run() {
        const { result, ...weights } = tf.tidy(step);
        for (const [name, weight] of Object.entries(weights)) {
          named[name]!.dispose();
          named[name] = weight;
        }
        return read(result!);
      },
    });
  };
}
