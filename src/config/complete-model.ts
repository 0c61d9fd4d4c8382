import type { Condition } from '../sources/settings.ts';
import type { SourceFacts } from '../data/source.ts';
import { describeSearch, describeTold } from '../data/told.ts';
import { parsePreset } from '../models/presets.ts';
import { attempt, describeProblem } from '../tensor/config-error.ts';
import { type KindName, kindNames, kindOf } from '../models/kinds/index.ts';
import { type AnySettings, withDefaults } from '../models/kinds/setting.ts';
import { textSettings } from '../models/kinds/text-dit.ts';
import type { ModelConfig, TextConfig } from '../train/settings.ts';
import type { ParsedModel } from './model-schema.ts';

type Settings = Readonly<Record<string, unknown>>;

const presetSizes = ['width', 'depth', 'heads', 'patchSize'] as const;

/**
 * Sizes by name, and what the data decide.
 * @param condition what the config wants the model to be told
 */
export function completeModel(
  parsed: ParsedModel,
  facts: SourceFacts | undefined,
  problems: string[],
  condition?: Condition,
): ModelConfig {
  const { preset, kind = kindFor(facts), ...rest } = parsed;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const settings: AnySettings = kindOf(kind).settings;
  const names = Object.keys(settings);
  const isForCaptions = parsed.text !== undefined && (kind === 'text-dit' || parsed.kind === undefined);
  if (facts && !facts.captions && isForCaptions) {
    problems.push(withoutCaptions(facts, condition));
    delete given['text'];
  }
  let sizes: Settings = {};
  const explicit = presetSizes.filter((name) => name in given);
  if (preset !== undefined && explicit.length > 0) {
    problems.push(
      `model: preset ${preset} already says ${explicit.join(', ')}. Give the preset or all four sizes`,
    );
  } else if (preset !== undefined) {
    attempt(problems, () => (sizes = sizesOfPreset(preset, names)));
  }
  for (const name of Object.keys(given).filter((setting) => !names.includes(setting))) {
    problems.push(`model.${name}: no setting of the model ${kind}. There are ${names.join(', ')}.`);
  }
  const told = facts && kindOf(kind).fromData(facts);
  const complete: Settings = { kind, ...withDefaults(settings, { ...told, ...sizes, ...given }) };
  if (problems.length === 0) {
    for (const name of names.filter(
      (setting) => complete[setting] === undefined && !settings[setting]!.optional,
    )) {
      const wanted = settings[name]!.fromData
        ? 'a value, as this data source does not tell it'
        : `a whole number from 1${names.includes('patchSize') ? ', or model.preset' : ''}`;
      problems.push(describeProblem(['model', name], wanted, undefined));
    }
  }
  // In one order, so that what is stored of a run does not depend on where its settings came from.
  return Object.fromEntries(
    ['kind', ...names].map((name) => [name, complete[name]]),
  ) as unknown as ModelConfig;
}

/** model.text is set, and there is nothing to train it with. */
function withoutCaptions(facts: SourceFacts, condition: Condition | undefined): string {
  const start = `model.text is set, but the model would be told ${describeTold(facts)}`;
  if (condition === 'class' || condition === 'none') {
    return `${start}, as data.condition is ${condition}. Set it to caption, or remove model.text`;
  }
  return `${start}.${describeSearch(facts.told?.lookedFor, facts.unused)} Add captions (rectiflow data check shows what there is), or remove model.text`;
}

function kindFor(facts: SourceFacts | undefined): KindName {
  return (facts && kindNames.find((name) => kindOf(name).fits?.(facts))) ?? 'dit';
}

/** A preset's patch size means nothing to a model that has no patches. */
function sizesOfPreset(preset: string, names: readonly string[]): Settings {
  return Object.fromEntries(Object.entries(parsePreset(preset)).filter(([name]) => names.includes(name)));
}

/** What there is to know of captions, beside what is given of it. */
export function completeText(text: NonNullable<ParsedModel['text']>): TextConfig {
  return withDefaults(textSettings, text) as unknown as TextConfig;
}
