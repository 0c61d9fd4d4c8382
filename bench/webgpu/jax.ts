// The cases by jax-js, compiled by its jit. A value is consumed by whoever takes it; `ref` is one more of it.
import { type JaxArray, defaultDevice, init, jit, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { type Side, headWidth } from './cases.ts';

type Named = Record<string, JaxArray>;

const transposed = (w: JaxArray): JaxArray => np.transpose(w);
const linear = (x: JaxArray, w: JaxArray): JaxArray => np.matmul(x, transposed(w));
const gelu = (x: JaxArray): JaxArray => nn.gelu(x, { approximate: true });
const meanSquare = (x: JaxArray): JaxArray => np.mean(np.square(x));

function mlpLoss({ x, target, w1, w2 }: Named): JaxArray {
  return meanSquare(linear(gelu(linear(x!, w1!)), w2!).sub(target!));
}

function modulated(x: JaxArray, shift: JaxArray, scale: JaxArray): JaxArray {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const deviation = np.sqrt(np.mean(np.square(centred.ref), -1, { keepdims: true }).add(1e-6));
  return centred.div(deviation).mul(scale.add(1)).add(shift);
}

function blockLoss({ x, modulation, qkv, out, w1, w2 }: Named): JaxArray {
  const [B, N, D] = x!.shape as [number, number, number];
  const [shift1, scale1, gate1, shift2, scale2, gate2] = np.split(modulation!.reshape([B, 1, 6 * D]), 6, -1);
  const heads = (part: JaxArray): JaxArray => part.reshape([B, N, D / headWidth, headWidth]);
  const [q, k, v] = np.split(linear(modulated(x!.ref, shift1!, scale1!), qkv!), 3, -1);
  const attended = nn.dotProductAttention(heads(q!), heads(k!), heads(v!)).reshape([B, N, D]);
  const h = x!.add(linear(attended, out!).mul(gate1!));
  const hidden = gelu(linear(modulated(h.ref, shift2!, scale2!), w1!));
  return meanSquare(h.add(linear(hidden, w2!).mul(gate2!)));
}

export async function jaxSide(): Promise<Side> {
  await init('webgpu');
  defaultDevice('webgpu');
  return (of, numbers) => {
    const named: Named = Object.fromEntries(
      Object.entries(of.inputs).map(([name, shape]) => [name, np.array(numbers[name]!).reshape([...shape])]),
    );
    const again = (): Named =>
      Object.fromEntries(Object.entries(named).map(([name, array]) => [name, array.ref]));
    if (of.kind === 'product') {
      const multiply = jit((x: JaxArray, w: JaxArray) => np.sum(linear(x, w)));
      return Promise.resolve({
        run: async () => (await multiply(named['x']!.ref, named['w']!.ref).data())[0]!,
      });
    }
    if (of.kind === 'mlp') {
      const step = jit((all: Named): [JaxArray, JaxArray, JaxArray] => {
        const weights = { w1: all['w1']!.ref, w2: all['w2']!.ref };
        const [loss, gradient] = valueAndGrad((of1: Named) =>
          mlpLoss({ x: all['x']!, target: all['target']!, ...of1 }),
        )(weights);
        const moved = (name: 'w1' | 'w2'): JaxArray => all[name]!.sub(gradient[name]!.mul(1e-3));
        return [loss, moved('w1'), moved('w2')];
      });
      return Promise.resolve({
        run: async () => {
          const [loss, w1, w2] = step({ ...again(), w1: named['w1']!, w2: named['w2']! });
          [named['w1'], named['w2']] = [w1, w2];
          return (await loss.data())[0]!;
        },
      });
    }
    const step = jit((all: Named): JaxArray => {
      const [loss, gradient] = valueAndGrad(blockLoss)(all);
      return Object.values(gradient).reduce((total, each) => total.add(np.sum(each)), loss);
    });
    return Promise.resolve({ run: async () => (await step(again()).data())[0]! });
  };
}
