// What settings of a model there are, and what each may be, as data: the schema of configs, their defaults, the docs and the readers of
// other files are all made of it.

/** What people read of a setting. */
interface Told {
  readonly says: string;
  /** Whether it may be left out, and is absent then, so that what is recorded of a model without is as it was before there was such a setting. */
  readonly optional?: true;
  /** Whether the data tell it, where the config does not. */
  readonly fromData?: true;
}

interface With<Value> {
  readonly default?: Value;
}

export type Setting = Told &
  (
    | (With<number> & { readonly type: 'whole'; readonly from: number })
    | (With<number> & { readonly type: 'above 0' })
    | (With<number> & { readonly type: 'from 0' })
    /** A list of at least one. */
    | (With<readonly number[]> & { readonly type: 'wholes'; readonly from: number })
    | (With<boolean> & { readonly type: 'flag' })
    /** [height, width]; in configs one number is a square. */
    | (With<readonly [number, number]> & { readonly type: 'size' })
    | (With<string> & { readonly type: 'choice'; readonly names: readonly string[] })
    /** `wanted` is what errors ask for. */
    | (With<string> & { readonly type: 'text'; readonly wanted: string })
    | { readonly type: 'settings'; readonly settings: Readonly<Record<string, Setting>> }
  );

/** A description of every setting, in the order in which people think of them. */
export type SettingsOf<Config> = { readonly [Name in Exclude<keyof Config, 'kind'>]-?: Setting };

export type AnySettings = Readonly<Record<string, Setting>>;

type Given = Readonly<Record<string, unknown>>;

/** The defaults of those that have one, also of settings within settings. */
export function defaultsOf(settings: AnySettings): Given {
  const known = Object.entries(settings).map(([name, setting]) => [name, defaultOf(setting)] as const);
  return Object.fromEntries(known.filter(([, value]) => value !== undefined));
}

function defaultOf(setting: Setting): unknown {
  return setting.type === 'settings' ? defaultsOf(setting.settings) : setting.default;
}

/** What is given, over the defaults; settings within settings each on their own. */
export function withDefaults(settings: AnySettings, given: Given): Given {
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  const complete = defined.map(([name, value]) => {
    const setting = settings[name];
    return [name, setting?.type === 'settings' ? withDefaults(setting.settings, value as Given) : value];
  });
  return { ...defaultsOf(settings), ...Object.fromEntries(complete) };
}

/** Of what someone else wrote down: the settings that have the form that they should have. */
export function readSettings<Config>(settings: SettingsOf<Config>, found: Given): Partial<Config> {
  const known = Object.entries<Setting>(settings).filter(([name, setting]) => fits(setting, found[name]));
  return Object.fromEntries(known.map(([name]) => [name, found[name]])) as Partial<Config>;
}

function isWhole(value: unknown, from: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= from;
}

function fits(setting: Setting, value: unknown): boolean {
  switch (setting.type) {
    case 'whole':
      return isWhole(value, setting.from);
    case 'above 0':
      return typeof value === 'number' && value > 0 && value < Infinity;
    case 'from 0':
      return typeof value === 'number' && value >= 0 && value < Infinity;
    case 'wholes':
      return Array.isArray(value) && value.length > 0 && value.every((each) => isWhole(each, setting.from));
    case 'flag':
      return typeof value === 'boolean';
    case 'size':
      return (
        Array.isArray(value) &&
        value.length === 2 &&
        value.every((side) => Number.isSafeInteger(side) && side > 0)
      );
    case 'choice':
      return typeof value === 'string' && setting.names.includes(value);
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'settings':
      return (
        typeof value === 'object' &&
        value !== null &&
        Object.entries(value).every(([name, inner]) => {
          const known = Object.hasOwn(setting.settings, name) ? setting.settings[name] : undefined;
          return known !== undefined && fits(known, inner);
        })
      );
  }
}
