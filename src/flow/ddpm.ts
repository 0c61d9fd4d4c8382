// Denoising diffusion (Ho, Jain & Abbeel 2020, arXiv:2006.11239) in the conventions of rectified-flow.ts: x0 is data, x1 noise.
//
//   k = 0 ... T - 1                                     a timestep; the model is told t = k / T
//   x_k = sqrt(abar_k) x0 + sqrt(1 - abar_k) x1         eq. 4; abar falls from about 1 to about 0
//   eps(x_k, k) ~ x1                                    the model predicts the noise
//   loss = mean |eps(x_k, k) - x1|^2                    eq. 14, L_simple, k uniform
//
// A model whose timeScale is 1000 sees 0 to 999 where T is 1000, as the public DiT does.
import { add, affine, cast, constant, gather, minimum, mul, reshape } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { diffusionSamplers } from './diffusion-samplers.ts';
import { type NoiseSchedule, alphaBars } from './noise-schedule.ts';
import type { Objective } from './objective.ts';

/** Noise prediction. The times that are drawn are cut to timesteps: uniform times make uniform timesteps. */
export function ddpm(schedule: NoiseSchedule): Objective {
  const { timesteps } = schedule;
  const alphaBar = alphaBars(schedule);
  const shareOfData = alphaBar.map(Math.sqrt);
  const shareOfNoise = alphaBar.map((share) => Math.sqrt(1 - share));
  return {
    name: 'ddpm',
    times(drawn) {
      const last = constant(drawn, [], Float64Array.of(timesteps - 1));
      const timestep = cast(minimum(affine(drawn, timesteps, 0), last), 'int32');
      return affine(cast(timestep, 'float32'), 1 / timesteps, 0);
    },
    mix(x0, x1, t) {
      const timestep = cast(affine(t, timesteps, 0.5), 'int32');
      const factor = (table: Float64Array): Tensor => {
        const values = gather(constant(t, [timesteps, 1], table), timestep); // -> [B, 1]
        return reshape(values, [t.shape[0]!, ...x0.shape.slice(1).map(() => 1)]); // -> [B, 1, ...]
      };
      return add(mul(factor(shareOfData), x0), mul(factor(shareOfNoise), x1));
    },
    target: (_, x1) => x1,
    samplers: diffusionSamplers(alphaBar),
  };
}
