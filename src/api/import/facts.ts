// What stands beside weights: our own metadata, the arguments of a training, the config.json of diffusers.
import type { DiTSizes } from '../../interop/dit-weights.ts';
import { type ResolvedDiTConfig, ditSettings } from '../../models/dit-config.ts';
import { readSettings } from '../../models/kinds/setting.ts';
import { presets } from '../../models/presets.ts';
import { type ConventionName, conventions } from './conventions.ts';

/** Only what has the form that it should have. */
export interface FoundFacts {
  readonly convention?: ConventionName;
  readonly settings: Partial<ResolvedDiTConfig>;
}

type Facts = Readonly<Record<string, unknown>>;

export function findFacts(facts: Facts, sizes: DiTSizes): FoundFacts {
  if (facts['_class_name'] === 'DiTTransformer2DModel' && facts['model'] === undefined)
    return diffusersFacts(facts);
  const text = facts['model'];
  if (typeof text !== 'string') return { settings: {} };
  return text.startsWith('{') ? ownFacts(text, facts['convention']) : namedFacts(text, sizes);
}

/** Of a file that rectiflow wrote: the model's settings as JSON. */
function ownFacts(json: string, convention: unknown): FoundFacts {
  let model: Facts;
  try {
    model = JSON.parse(json) as Facts;
  } catch {
    return { settings: {} };
  }
  return {
    convention: typeof convention === 'string' && isConvention(convention) ? convention : 'rectiflow',
    settings: readSettings(ditSettings, model),
  };
}

/** `SiT-XL/2` or `LightningDiT-XL/1`, as trainers call their models. */
function namedFacts(name: string, { width, depth }: DiTSizes): FoundFacts {
  const [, kind, size = ''] = /^(DiT|SiT|LightningDiT)-([^/]+)\//.exec(name) ?? [];
  const preset = Object.hasOwn(presets, size) ? presets[size as keyof typeof presets] : undefined;
  return {
    ...(kind && { convention: kind === 'DiT' ? 'ddpm' : 'sit' }),
    settings: preset?.width === width && preset.depth === depth ? { heads: preset.heads } : {},
  };
}

function diffusersFacts({ num_attention_heads: heads, sample_size: side }: Facts): FoundFacts {
  return {
    convention: 'ddpm',
    settings: readSettings(ditSettings, { heads, imageSize: [side, side] }),
  };
}

/** Whether the null label was trained, which a file that rectiflow wrote tells; undefined where nothing does. */
export function findNullLabel({ nullLabel }: Facts): boolean | undefined {
  return nullLabel === 'trained' || nullLabel === 'untrained' ? nullLabel === 'trained' : undefined;
}

function isConvention(name: string): name is ConventionName {
  return Object.hasOwn(conventions, name);
}
