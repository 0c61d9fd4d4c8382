import type { LatentScale } from '../../tensor/latent-scale.ts';
import type { ConfigInput } from '../../config/config.ts';
import type { OwnFlow } from '../../train/objective.ts';
import type { ConventionName } from './conventions.ts';

/** What is left out is as the file tells. */
export interface ImportOptions extends OwnFlow {
  /** Of the run; by default that of the file. */
  readonly name?: string | undefined;
  /** Where the run's folder is made; `runs` by default. */
  readonly runs?: string | undefined;
  /** The set of weights to take for both of the run's; by default each becomes what it is. */
  readonly weights?: 'ema' | 'model' | undefined;
  /** Attention heads, which no weights tell. */
  readonly heads?: number | undefined;
  /** As the model has it: needed where the positional table is missing or of no square. */
  readonly imageSize?: readonly [height: number, width: number] | undefined;
  /** What the weights were trained to say. */
  readonly convention?: ConventionName | undefined;
  /** What t is multiplied with before it is embedded, in place of the convention's. */
  readonly timeScale?: number | undefined;
  /** Of a model of latents: it was trained on (latent - shift) scale; by default as the autoencoder says. */
  readonly latents?: LatentScale | undefined;
  /** The same as a file of LightningDiT, latents_stats.pt: it was trained on (latent - mean) / std. */
  readonly latentStatistics?: string | undefined;
  /** Of a model of latents: their autoencoder, as `readAutoencoder` takes it. The run keeps it, and makes pictures with it. */
  readonly autoencoder?: string | undefined;
  /** Data and training settings, to go on with the weights by `resume`. The model is that of the file in any case. */
  readonly config?: ConfigInput | undefined;
  /** Told of everything that is changed. */
  readonly onNotice?: (text: string) => void;
}
