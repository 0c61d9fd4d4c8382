// How the text behind an option becomes a value.
import { InvalidArgumentError, Option } from 'commander';

/** Of the commands that open the data of a run again. */
export function acceptDataOption(): Option {
  return new Option(
    '--accept-data',
    'go on where classes, genes or normalisation are not those that the run was trained on; what differs is recorded',
  );
}

/** Of the commands that train. */
export function sendKeysOption(): Option {
  return new Option(
    '--send-keys-to <address>',
    'also send the keys of W&B and MLflow in the environment to this server, where the config names it; may be given several times',
  ).argParser(collect);
}

/** How numbers are read, here and in configs: for the help of commands that take them. */
export const numbersHelp = 'Numbers are decimal, as in 500, 0.5 or 1e-3.';

/** The value of a decimal number, as YAML writes them; spaces around it do not count. */
function decimal(text: string): number | undefined {
  const value = Number(text);
  const isDecimal = /^\s*[-+]?(?:\.\d+|\d+\.?\d*)(?:e[-+]?\d+)?\s*$/i.test(text);
  return isDecimal && Number.isFinite(value) ? value : undefined;
}

/** A whole number, not below `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = decimal(text);
    if (Number.isSafeInteger(value) && value! >= least) return value!;
    throw new InvalidArgumentError(`It must be a whole number from ${least}, as in ${Math.max(100, least)}.`);
  };
}

export function finiteNumber(text: string): number {
  const value = decimal(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('It must be a number, as in 2, 0.5 or 1e-3.');
}

/** @param above whether 0 itself is refused */
export function numberFrom0(above = false): (text: string) => number {
  return (text) => {
    const value = finiteNumber(text);
    if (value > 0 || (value === 0 && !above)) return value;
    throw new InvalidArgumentError(`It must be a number ${above ? 'above' : 'from'} 0.`);
  };
}

/** `0.2,0.8`: two times. */
export function timeInterval(text: string): [low: number, high: number] {
  const [low = -1, high = -1, ...more] = text.split(',').map(decimal);
  if (more.length === 0 && 0 <= low && low <= high && high <= 1) return [low, high];
  throw new InvalidArgumentError('It must be two times from 0 to 1, the lower one first, as in 0.2,0.8.');
}

/** `1,2,4`: whole numbers from 1. */
export function wholeNumbers(text: string): number[] {
  const values = text.split(',').map(decimal);
  if (values.every((value) => Number.isSafeInteger(value) && value! >= 1)) return values as number[];
  throw new InvalidArgumentError('It must be whole numbers from 1 with commas between them, as in 1,2,4.');
}

/** `256` for a square, `128x256` for height and width. */
export function imageSides(text: string): [height: number, width: number] {
  const [, height, width = height] = /^([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?$/.exec(text) ?? [];
  if (height === undefined) throw new InvalidArgumentError('It must be pixels, as in 256 or 128x256.');
  return [Number(height), Number(width)];
}

/** `0,32`: what was cropped above, and to the left. */
export function cropPlace(text: string): [top: number, left: number] {
  const [, top, left] = /^(\d{1,6}),(\d{1,6})$/.exec(text) ?? [];
  if (left === undefined) throw new InvalidArgumentError('It must be two numbers of pixels, as in 0,32.');
  return [Number(top), Number(left)];
}

/** `--set`, of the commands that take a config. */
export function setOption(what = 'change a setting'): Option {
  const description = `${what}, to a value in YAML: 1e-3, true, a name, [0.9, 0.95]; may be given several times`;
  return new Option('-s, --set <setting=value>', description).argParser(collect);
}

export interface ComputeOptions {
  readonly backend?: string | undefined;
  readonly precision?: string | undefined;
}

/** Of the commands that take a config, with `precisionOption`. */
export function backendOption(): Option {
  return new Option(
    '--backend <name>',
    'what computes: auto, cpu, webgpu or reference; short for --set backend.name=',
  );
}

export function precisionOption(): Option {
  return new Option('--precision <name>', 'auto, fp32, bf16 or fp16; short for --set train.precision=');
}

/** What these options set, as `--set` takes it. */
export function computeSettings({ backend, precision }: ComputeOptions): string[] {
  return [
    ...(backend === undefined ? [] : [`backend.name=${backend}`]),
    ...(precision === undefined ? [] : [`train.precision=${precision}`]),
  ];
}

/** For an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
