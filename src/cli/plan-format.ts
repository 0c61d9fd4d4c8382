// Numbers as plans show them.
import { formatDuration, formatValue } from './format.ts';

/** `26.1 ms`, `4.2s`, `1h 02m` */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${formatValue(1000 * seconds)} ms` : formatDuration(seconds);
}

/** `31 %`, `4.1 %` */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 10 ? value.toFixed(0) : Number(value.toPrecision(2))} %`;
}

export function indent(line: string): string {
  return `  ${line}`;
}
