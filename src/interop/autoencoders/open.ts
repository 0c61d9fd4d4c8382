// Autoencoders in whatever form they come: a folder of diffusers, a file of LDM or of a whole model, the two files of TAESD.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createAutoencoder } from '../../models/autoencoders/create.ts';
import { factorOf } from '../../models/autoencoders/config.ts';
import { fileError } from '../../tensor/errors.ts';
import { counted } from '../../tensor/counted.ts';
import { checkFit } from '../check-fit.ts';
import { type LazyTensors, openWeights, readFacts } from '../weights-file.ts';
import { type ReadConfig, type Told, fromDiffusersConfig, isAutoencoderConfig } from './diffusers-config.ts';
import { inferConfig, kinds } from './infer.ts';
import { type WithinWeights, autoencoderWithin, fromNumbers, isLDM, toDiffusersNames } from './names.ts';
import { openShards } from './shards.ts';

export interface FoundAutoencoder extends ReadConfig {
  /** Under our names, checked against the config. Their values are read when they are asked for. */
  readonly tensors: LazyTensors;
  /** For people: `a folder of diffusers`. */
  readonly form: string;
}

const weightsNames = ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin'];
const indexName = 'diffusion_pytorch_model.safetensors.index.json';
const pairOf = /^(.*)_(encoder|decoder)(\.(?:pth|pt|safetensors))$/;
/** Where it is in the folder of a pipeline of diffusers, and in that of a run here. */
const partsOfFolders = ['vae', 'autoencoder'];
const again = 'Get the folder again, or put the weights that belong to it beside config.json';

/**
 * @param path a folder with config.json and weights, or with `vae/` or `autoencoder/` in it; a folder with the two files of TAESD; a file
 * @param told what the weights do not tell
 * @throws RectiflowError where there is no autoencoder, one of another class, or config and weights disagree: then it lists every
 * name and shape
 */
export async function openAutoencoderFiles(path: string, told: Told = {}): Promise<FoundAutoencoder> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw fileError(path, 'no such file or folder', 'Check the path');
  const opened = await openForm(path, found.isDirectory(), told);
  const { scaling } = told;
  // What is told goes before what the files say.
  return scaling === undefined ? opened : { ...opened, config: { ...opened.config, scaling } };
}

async function openForm(path: string, isFolder: boolean, told: Told): Promise<FoundAutoencoder> {
  if (!isFolder) return pairOf.test(basename(path)) ? openPair(path, told) : openFile(path, told);
  const within = partsOfFolders.find((name) => existsSync(join(path, name, 'config.json')));
  const folder = within === undefined ? path : join(path, within);
  if (existsSync(join(folder, 'config.json'))) return openFolder(folder, told);
  return openPair(pairIn(folder), told);
}

/** Whether a path is meant to be an autoencoder, of whatever class: cheap, without reading weights; false of what cannot be read. */
export async function looksLikeAutoencoder(path: string): Promise<boolean> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (!found.isDirectory()) return /\.(safetensors|pth|pt|bin|ckpt)$/.test(path);
  if (existsSync(join(path, 'vae', 'config.json'))) return true;
  const config = join(path, 'config.json');
  if (!existsSync(config)) return readdirSync(path).some((name) => pairOf.test(name));
  return readFacts(config).then(isAutoencoderConfig, () => false);
}

/** config.json, and beside it weights of any naming. */
async function openFolder(folder: string, told: Told): Promise<FoundAutoencoder> {
  const origin = join(folder, 'config.json');
  const read = fromDiffusersConfig(await readFacts(origin), origin, told);
  const index = join(folder, indexName);
  if (existsSync(index)) {
    const tensors = toDiffusersNames(await openShards(index));
    return checked({ ...read, tensors, form: 'a folder of diffusers, in shards' }, folder);
  }
  const path = weightsIn(folder);
  const within = await withinFile(path);
  const isLeftOut = isLDM(within.tensors);
  // A file of diffusers holds what its class needs and no more: what is beside that does not fit.
  const tensors = toDiffusersNames(new Map([...within.tensors, ...(isLeftOut ? [] : within.others)]));
  const assumptions = [...(isLeftOut ? leftOut(path, within) : []), ...read.assumptions];
  return checked({ config: read.config, assumptions, tensors, form: 'a folder of diffusers' }, folder);
}

/** As diffusers calls them, or the only ones that there are. */
function weightsIn(folder: string): string {
  const names = readdirSync(folder).filter((name) => /\.(safetensors|bin|pth|pt|ckpt)$/.test(name));
  const name =
    weightsNames.find((each) => names.includes(each)) ?? (names.length === 1 ? names[0] : undefined);
  if (name !== undefined) return join(folder, name);
  const problem =
    names.length === 0
      ? `has no ${weightsNames.join(' or ')} beside config.json`
      : `has several files of weights beside config.json: ${names.toSorted().join(', ')}`;
  throw fileError(folder, problem, `Call the one that is meant ${weightsNames[0]}`);
}

async function openFile(path: string, told: Told): Promise<FoundAutoencoder> {
  const within = await withinFile(path);
  const tensors = toDiffusersNames(within.tensors);
  const form = within.prefix === '' ? 'a single file' : `a single file, under ${within.prefix}*`;
  const { config, assumptions } = inferConfig(tensors, path, told);
  return checked({ config, assumptions: [...leftOut(path, within), ...assumptions], tensors, form }, path);
}

/** What is found and not used is said: of a discriminator, say, all tensors at once. */
function leftOut(path: string, { others }: WithinWeights): string[] {
  if (others.size === 0) return [];
  const groups = new Set([...others.keys()].map((name) => name.replace(/\..*/, '.*')));
  const some = [...groups].slice(0, 5).join(', ');
  return [
    `${path} also holds ${counted(others.size, 'tensor')} beside the autoencoder, which are left out: ${some}.`,
  ];
}

async function withinFile(path: string): Promise<WithinWeights> {
  const all = await allOf(path);
  const within = autoencoderWithin(all);
  if (within !== undefined) return within;
  const some = [...all.keys()].slice(0, 5).join(', ');
  const problem = `holds no autoencoder: it has ${some} and ${Math.max(0, all.size - 5)} more`;
  throw fileError(path, problem, kinds);
}

async function allOf(path: string): Promise<LazyTensors> {
  const { sets } = await openWeights(path);
  return (sets.model ?? sets.ema)!;
}

/** The one pair of files in a folder: its encoder. */
function pairIn(folder: string): string {
  const encoders = readdirSync(folder).filter((name) => pairOf.exec(name)?.[2] === 'encoder');
  const [encoder] = encoders;
  if (encoder === undefined) throw fileError(folder, 'has no config.json, and no *_encoder.pth', kinds);
  if (encoders.length === 1) return join(folder, encoder);
  const problem = `has ${encoders.length} pairs of files: ${encoders.toSorted().join(', ')}`;
  throw fileError(folder, problem, 'Give one of the files, whose other half is read with it');
}

/** @param path one of the two files */
async function openPair(path: string, told: Told): Promise<FoundAutoencoder> {
  const [, name, , ending] = pairOf.exec(basename(path))!;
  const [encoder, decoder] = ['encoder', 'decoder'].map((part) =>
    join(dirname(path), `${name}_${part}${ending}`),
  ) as [string, string];
  for (const file of [encoder, decoder]) {
    if (existsSync(file)) continue;
    throw fileError(
      file,
      'no such file',
      `Put it beside ${basename(path)}: an autoencoder of the TAESD family is both`,
    );
  }
  const tensors = fromNumbers(await allOf(encoder), await allOf(decoder));
  const form = `${basename(encoder)} and ${basename(decoder)}`;
  return checked({ ...inferConfig(tensors, path, told), tensors, form }, path);
}

function checked(found: FoundAutoencoder, path: string): FoundAutoencoder {
  const { config, tensors } = found;
  const { parameters, latentChannels } = createAutoencoder(config);
  const wanted = new Map(parameters.map(({ name, shape }) => [name, shape]));
  const described =
    config.kind === 'kl'
      ? `an AutoencoderKL of ${config.blockOutChannels.join(', ')} channels and ${counted(config.layersPerBlock ?? 2, 'layer')} a block`
      : `an AutoencoderTiny of ${config.encoderWidth} channels and factor ${factorOf(config)}`;
  checkFit(
    tensors,
    wanted,
    path,
    `${described}, with ${counted(latentChannels, 'latent channel')}`,
    `${again}.`,
  );
  return found;
}
