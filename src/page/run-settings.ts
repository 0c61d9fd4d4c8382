// What the page says of a run's settings, of any version and however damaged: what is not as it should be is not known.

export interface Settings {
  readonly steps: number | null;
  readonly kind: string | null;
  readonly data: string | null;
}

/** @param config as config.json has it */
export function settingsOf(config: unknown): Settings {
  const stages = Object.values(at(config, 'stages') ?? []).map((stage) => at(stage, 'steps'));
  const isSum = stages.length > 0 && stages.every((steps) => typeof steps === 'number');
  const steps = isSum ? stages.reduce((sum, each) => sum + each, 0) : at(config, 'train', 'steps');
  return {
    steps: typeof steps === 'number' ? steps : null,
    kind: textAt(config, 'model', 'kind'),
    data: describeData(config),
  };
}

function describeData(config: unknown): string | null {
  const [source, path] = [textAt(config, 'data', 'source'), textAt(config, 'data', 'path')];
  return source !== null && path !== null ? `${source} ${path}` : source;
}

/** The value below names; undefined where there is none. */
export function at(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Readonly<Record<string, unknown>>)[name]
        : undefined,
    value,
  );
}

function textAt(config: unknown, ...names: readonly string[]): string | null {
  const value = at(config, ...names);
  return typeof value === 'string' ? value : null;
}
