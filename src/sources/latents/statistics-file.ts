// latents_stats.pt of LightningDiT: mean and std [1, C, 1, 1], by which its models see latents as (latent - mean) / std.
import { TorchTensor } from '../../formats/pytorch/pickle-values.ts';
import { TorchFile } from '../../formats/pytorch/torch-file.ts';
import { fileError } from '../../tensor/errors.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import type { ChannelStatistics } from './items.ts';

/**
 * @param advice the error's last sentence
 * @throws RectiflowError where the file has not both, finite and of each channel, or a deviation that is not above 0
 */
export async function readStatistics(
  path: string,
  channels: number,
  advice: string,
): Promise<ChannelStatistics> {
  const file = await TorchFile.open(path);
  const numbers = async (name: 'mean' | 'std'): Promise<number[]> => {
    const tensor = file.value instanceof Map ? file.value.get(name) : undefined;
    const values =
      tensor instanceof TorchTensor ? Array.from(toFloat32(await file.read(tensor)), Number) : undefined;
    if (values?.length === channels && values.every(Number.isFinite)) return values;
    const found = values === undefined ? 'none' : `${values.length} numbers`;
    const problem = `wanted a tensor "${name}" with a number for each of ${channels} channels, found ${found}`;
    throw fileError(path, problem, advice);
  };
  const [mean, deviation] = [await numbers('mean'), await numbers('std')];
  if (deviation.every((value) => value > 0)) return { mean, deviation };
  throw fileError(path, 'has a deviation that is not above 0', advice);
}
