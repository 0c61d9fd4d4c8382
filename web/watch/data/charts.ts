// Which charts a run's fields make, and how its x is written.
import type { FieldGroup, FieldInfo } from '../../../src/page/contract.ts';
import type { XAxis } from '../../parts/columns.ts';
import { formatBy, formatDuration, formatNumber } from '../../parts/format.ts';

export interface ChartOfLines {
  readonly kind: 'lines';
  readonly title: string;
  readonly fields: readonly FieldInfo[];
}
/** Many fields of one kind, as colours. */
export interface ChartOfColours {
  readonly kind: 'heat';
  readonly title: string;
  readonly fields: readonly FieldInfo[];
}
export type Chart = ChartOfLines | ChartOfColours;

/** Groups of the log whose fields are told by what stands before their first dot. */
const HEAT = /^(lossByTime|heldOutLossByTime|gradNormByBlock)\./;
/** More lines than colours are not told apart. */
const MOST_LINES = 8;

/** A group's fields of one unit share a chart: others have another scale. */
export function chartsOf(groups: readonly FieldGroup[]): Chart[] {
  return groups.flatMap(({ title, fields }): Chart[] => {
    const byKind = new Map<string, FieldInfo[]>();
    for (const field of fields) {
      const kind = HEAT.exec(field.name)?.[1] ?? `unit ${field.unit}`;
      byKind.set(kind, [...(byKind.get(kind) ?? []), field]);
    }
    return [...byKind].flatMap(([, members], index) => {
      const name = index > 0 && members.length === 1 ? members[0]!.label : title;
      return HEAT.test(members[0]!.name)
        ? [{ kind: 'heat', title: name, fields: members } satisfies Chart]
        : linesOf(name, members);
    });
  });
}

function linesOf(title: string, fields: readonly FieldInfo[]): Chart[] {
  const parts = Math.ceil(fields.length / MOST_LINES);
  return Array.from({ length: parts }, (_, i) => ({
    kind: 'lines',
    title: parts === 1 ? title : `${title}, ${i + 1} of ${parts}`,
    fields: fields.slice(i * MOST_LINES, (i + 1) * MOST_LINES),
  }));
}

/** The name of a chart and the unit of its values, which its axis leaves out. */
export function titleOf({ title, fields }: Chart): string {
  const unit = fields[0]?.unit ?? '';
  return unit.includes('/') || unit === 'dB' ? `${title}, ${unit}` : title;
}

/** A value beside the axis of a chart. */
export function formatTick(unit: string, value: number): string {
  return unit.includes('/') || unit === 'dB' ? formatNumber(value) : formatBy(unit, value);
}

/** What is looked at first comes first; all else stays in the order of the server. */
export function inOrder(charts: readonly Chart[]): Chart[] {
  const first = ['loss', 'heldOutLoss', 'lossByTime.0'];
  const rank = ({ fields }: Chart): number => {
    const found = first.findIndex((name) => fields.some((field) => field.name === name));
    return found < 0 ? first.length : found;
  };
  return charts.toSorted((a, b) => rank(a) - rank(b));
}

/** A field that several runs have. */
export interface CommonField extends FieldInfo {
  readonly title: string;
}

/**
 * Fields that are numbers of their own and that two of the runs have at least, in the order of the first run that has them.
 * @param runs by their groups
 */
export function commonFields(runs: readonly (readonly FieldGroup[])[]): CommonField[] {
  const found = new Map<string, CommonField & { count: number }>();
  for (const { title, fields } of runs.flat()) {
    for (const field of fields) {
      if (field.name.includes('.')) continue;
      const name = fields.length === 1 ? title : `${title}: ${field.label}`;
      const known = found.get(field.name) ?? {
        ...field,
        title: titleOf({ kind: 'lines', title: name, fields: [field] }),
        count: 0,
      };
      found.set(field.name, { ...known, count: known.count + 1 });
    }
  }
  const wanted = Math.min(2, runs.length);
  return [...found.values()].filter(({ count }) => count >= wanted);
}

export const axes: Readonly<Record<XAxis, { label: string; format: (value: number) => string }>> = {
  step: { label: 'step', format: formatNumber },
  epoch: { label: 'epoch', format: formatNumber },
  seconds: { label: 'time', format: formatDuration },
};
