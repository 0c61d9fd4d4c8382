// A run's weights for other systems.
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toDiffusers } from '../../interop/diffusers.ts';
import { negatedOutput } from '../../interop/dit-weights.ts';
import { describeNonFinite } from '../../tensor/finite.ts';
import { readRun } from '../../runs/run-folder.ts';
import { writeSafetensors } from '../../formats/safetensors-file.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { RectiflowError, fileError, runError, systemProblem } from '../../tensor/errors.ts';
import type { ConfigInput } from '../../config/config.ts';
import type { ImageModel } from '../../train/settings.ts';
import { dataOf } from '../../known/data-record.ts';
import { resolveConfig } from '../../config/resolve-config.ts';
import { configAt } from '../../known/stage-of.ts';
import { isNullTrained } from '../../known/trained-with.ts';
import { findCheckpoint } from '../run-sampler.ts';
import type { RunOptions } from '../parts.ts';
import { type WeightsChoice, readWeights } from '../weights.ts';
import { type ExportedWeights, exportAutoencoder } from './autoencoder.ts';
import { diffusersConfig } from './diffusers-config.ts';
import type { ExportLayout } from './layouts.ts';
import { writeOnnx } from './onnx.ts';

export interface ExportOptions extends WeightsChoice, Pick<RunOptions, 'backend' | 'source'> {
  /** Where to write: a file, or a folder for diffusers. It must not be there yet. */
  readonly to: string;
  /**
   * public: the names of the public DiT release, in safetensors; diffusers: a folder for DiTTransformer2DModel;
   * onnx: the velocity, or the noise, as a model for other runtimes, its weights inside. public by default; of an autoencoder diffusers,
   * the only one, for its AutoencoderKL.
   */
  readonly layout?: ExportLayout | undefined;
  /** The step of a checkpoint; the last that is intact by default. */
  readonly checkpoint?: number | undefined;
}

/**
 * Writes the weights of a run's DiT in the form of another system. `importRun` reads them back bit for bit. Or an autoencoder, for which
 * its data are read: `exportAutoencoder`.
 * @param run its folder
 * @throws RectiflowError when the run's model has no such form, or the file is there or cannot be written
 */
export async function exportRun(run: string, options: ExportOptions): Promise<void> {
  const { to, layout = 'public', onNotice } = options;
  const { config: recorded } = await readRun(run);
  const whole = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  const { model: own, flow } = whole;
  if (own.kind === 'autoencoder')
    return exportAutoencoder(run, whole, () => readExported(run, options), options);
  if (own.kind !== 'dit') {
    const advice = 'Its own weights, in safetensors, are in the folder of each checkpoint';
    throw runError(run, `its model is a ${own.kind}, which other systems have no form for`, advice);
  }
  const objective = flow.objective.kind;
  if (objective === 'custom') {
    const advice = 'Its own weights, in safetensors, are in the folder of each checkpoint';
    throw runError(run, 'its objective is one of a program, which other systems do not know', advice);
  }
  if (own.sizeConditioning && layout !== 'onnx') {
    const advice =
      'Export it with the layout onnx, whose input size [batch, 6] tells them; its own weights are in the folder of each checkpoint';
    throw runError(
      run,
      'its model is told sizes and crops, which the public release of DiT does not know',
      advice,
    );
  }
  const { saved, stored } = await readExported(run, options);
  const config = configAt(whole, saved);
  const model = config.model as ImageModel;
  const data = dataOf(saved);
  const nullTrained = model.classes > 0 ? isNullTrained(saved, config) : undefined;
  const metadata = {
    format: 'pt',
    model: JSON.stringify(model),
    data: JSON.stringify(data),
    ...(nullTrained !== undefined && { nullLabel: nullTrained ? 'trained' : 'untrained' }),
  };
  await describingFailure(to, async () => {
    const { classNames } = data;
    const exported = { to, stored, model, classNames, metadata, objective, notice: onNotice };
    if (layout === 'public') await writePublic(exported);
    else if (layout === 'onnx') await writeModel(exported);
    else await writeDiffusers(exported);
  });
}

/** The weights that are asked for, once it is sure that they can be written. */
async function readExported(run: string, options: ExportOptions): Promise<ExportedWeights> {
  const { to } = options;
  if (existsSync(to)) throw fileError(to, 'is there already', 'Give another name, or remove it');
  const saved = await findCheckpoint(run, options);
  const stored = await readWeights(run, saved, options);
  const odd = await describeNonFinite(stored);
  if (odd !== undefined)
    throw runError(run, `its weights are of no use: ${odd}`, 'Give an earlier --checkpoint');
  return { saved, stored };
}

interface Exported {
  readonly to: string;
  readonly stored: StoredTensors;
  readonly model: ImageModel;
  readonly classNames: readonly string[] | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly objective: 'rectified-flow' | 'ddpm';
  readonly notice: ExportOptions['onNotice'];
}

async function writePublic({ to, stored, model, metadata, objective, notice }: Exported): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  if (objective === 'ddpm') {
    await writeSafetensors(to, stored, { ...metadata, convention: 'ddpm' });
    notice?.(saysNoise(model));
  } else if (model.reverseTime) {
    // What came from SiT goes back to it as it was.
    await writeSafetensors(to, negatedOutput(stored), { ...metadata, convention: 'sit' });
    notice?.(
      `the last layer is negated: the model predicts data - noise, with the noise at t = 0, as SiT's do, and is fed ${model.timeScale} t`,
    );
  } else {
    await writeSafetensors(to, stored, { ...metadata, convention: 'rectiflow' });
    notice?.(`the model predicts noise - data, with the noise at t = 1, and is fed ${model.timeScale} t`);
  }
}

async function writeModel({ to, stored, model, metadata, objective, notice }: Exported): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const { format: _, ...told } = metadata;
  await writeOnnx(to, stored, model, told, objective === 'ddpm' ? 'noise' : 'velocity');
  if (objective === 'ddpm') notice?.(saysNoise(model));
}

/** Of DDPM, whose t is a timestep from 0 to T - 1, divided by T. */
function saysNoise({ timeScale }: ImageModel): string {
  return `the model predicts the noise of DDPM, and is fed ${timeScale} times the timestep divided by flow.objective.timesteps`;
}

async function writeDiffusers(exported: Exported): Promise<void> {
  const { to, stored, model, classNames, metadata, objective, notice } = exported;
  const config = `${JSON.stringify(diffusersConfig(model, classNames), null, 2)}\n`;
  await mkdir(to, { recursive: true });
  try {
    const file = join(to, 'diffusion_pytorch_model.safetensors');
    const told = { ...metadata, convention: objective === 'ddpm' ? 'ddpm' : 'rectiflow' };
    await writeSafetensors(file, toDiffusers(stored, model.depth), told);
    await writeFile(join(to, 'config.json'), config);
  } catch (error) {
    await rm(to, { recursive: true, force: true });
    throw error;
  }
  const fed = model.reverseTime ? `${model.timeScale} (1 - t)` : `${model.timeScale} t`;
  const says =
    objective === 'ddpm'
      ? `${saysNoise(model)}.`
      : `the model predicts noise - data, and is to be fed ${fed}: a pipeline of DDPM noise makes nothing of it.`;
  notice?.(`${says} Its frequencies of time differ a little from ours`);
}

async function describingFailure(to: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(to, `cannot be written: ${systemProblem(error)}`, 'Check the path and the disk', error);
  }
}
