// The command line of the benchmarks.
import { parseArgs } from 'node:util';
import { cpuBackend } from 'rectiflow';

export interface Options {
  /** What to measure; what stands on the command line without a name. */
  readonly names: readonly string[];
  /** Turns of each side. */
  readonly rounds: number;
  readonly threads: number;
  /** An interpreter that has PyTorch. */
  readonly python: string | undefined;
  readonly quick: boolean;
  /** Keeps only these variants, where it is given. */
  readonly variants: readonly string[] | undefined;
  /** Steps of a sampler. */
  readonly steps: number;
  /** What computes. */
  readonly backend: 'cpu' | 'webgpu';
  /** How many processes train together: what to measure, from the fewest on. */
  readonly ranks: readonly number[];
}

export interface Defaults {
  readonly usage: string;
  /** The names that may be given, all of them by default. */
  readonly names: readonly string[];
  readonly defaultNames?: readonly string[];
  readonly variants?: readonly string[];
  readonly rounds: number;
  readonly quickRounds: number;
  /** One per core by default. */
  readonly threads?: number;
}

/** Prints the usage and ends the process where that is asked for or the command line is wrong. */
export function readOptions(defaults: Defaults): Options {
  try {
    return parse(defaults);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${defaults.usage}`);
    process.exit(2);
  }
}

function parse(defaults: Defaults): Options {
  const { usage, names, defaultNames = names, variants, rounds, quickRounds } = defaults;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      threads: { type: 'string' },
      python: { type: 'string' },
      variants: { type: 'string' },
      steps: { type: 'string' },
      ranks: { type: 'string', default: '1,2,4' },
      backend: { type: 'string', default: 'cpu' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const chosen = values.variants?.split(',');
  checkKnown('case', positionals, names);
  checkKnown('variant', chosen ?? [], variants ?? []);
  checkKnown('backend', [values.backend], ['cpu', 'webgpu']);
  return {
    names: positionals.length > 0 ? positionals : defaultNames,
    rounds: count('--rounds', values.rounds, values.quick ? quickRounds : rounds),
    threads: count('--threads', values.threads, defaults.threads ?? cpuBackend().threads),
    python: values.python,
    quick: values.quick,
    variants: chosen,
    backend: values.backend as Options['backend'],
    steps: count('--steps', values.steps, values.quick ? 5 : 50),
    ranks: values.ranks
      .split(',')
      .map((text) => count('--ranks', text, 1))
      .toSorted((a, b) => a - b),
  };
}

function checkKnown(what: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`no ${what} "${unknown}": there is ${known.join(', ')}`);
}

function count(option: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new Error(`${option} must be a whole number from 1, got ${text}`);
}
