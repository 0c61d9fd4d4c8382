// What latents are like in each channel, of those that are encoded and of those that others have.
import type { LatentScale } from '../../tensor/latent-scale.ts';
import type { ChannelStatistics, Encoding } from './items.ts';

/** Sums over encodings, of each channel. */
export class ChannelSums {
  readonly #mean: number[];
  readonly #squares: number[];
  #count = 0;

  constructor(channels: number) {
    this.#mean = new Array<number>(channels).fill(0);
    this.#squares = new Array<number>(channels).fill(0);
  }

  add({ mean, deviation }: Encoding): void {
    const channels = this.#mean.length;
    const plane = mean.length / channels;
    for (let channel = 0; channel < channels; channel++) {
      let [sum, squares] = [0, 0];
      for (let i = channel * plane; i < (channel + 1) * plane; i++) {
        const spread = deviation?.[i] ?? 0;
        sum += mean[i]!;
        squares += mean[i]! ** 2 + spread ** 2;
      }
      this.#mean[channel]! += sum;
      this.#squares[channel]! += squares;
    }
    this.#count += plane;
  }

  static from({ count, mean, squares }: ReturnType<ChannelSums['state']>): ChannelSums {
    const sums = new ChannelSums(mean.length);
    sums.#count = count;
    mean.forEach((sum, channel) => (sums.#mean[channel] = sum));
    squares.forEach((sum, channel) => (sums.#squares[channel] = sum));
    return sums;
  }

  /** Plain JSON, to go on with. */
  state(): { readonly count: number; readonly mean: readonly number[]; readonly squares: readonly number[] } {
    return { count: this.#count, mean: [...this.#mean], squares: [...this.#squares] };
  }

  statistics(): ChannelStatistics {
    const mean = this.#mean.map((sum) => sum / this.#count);
    const deviation = this.#squares.map((sum, channel) =>
      Math.sqrt(Math.max(0, sum / this.#count - mean[channel]! ** 2)),
    );
    return { mean, deviation };
  }
}

/** What makes the mean 0 and the deviation 1 in each channel. */
export function standardized({ mean, deviation }: ChannelStatistics): LatentScale {
  return { scale: deviation.map((value) => 1 / Math.max(value, Number.MIN_VALUE)), shift: mean };
}
