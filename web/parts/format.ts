// Numbers, times and texts as people read them.

/** Four significant digits, by powers of ten where the number is very small or large. A name, as of NaN, stays as it is. */
export function formatNumber(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return value.toLocaleString('en-US');
  if (size < 1e-3 || size >= 1e7) return value.toExponential(2).replace(/\.?0*e\+?/, 'e');
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

/** @param unit as the log's fields have them: `s`, `bytes`, `samples/s`, `share`, or none */
export function formatBy(unit: string, value: number | string | null | undefined): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return formatNumber(value);
  if (unit === 's') return formatDuration(value);
  if (unit === 'bytes') return formatBytes(value);
  if (unit === 'share') return `${formatNumber(value * 100)} %`;
  return unit === '' ? formatNumber(value) : `${formatNumber(value)} ${unit}`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** @param seconds of any length */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${formatNumber(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
}

/** @param time in ISO 8601 @param now in milliseconds */
export function formatAgo(time: string | null, now: number): string {
  const then = time === null ? NaN : Date.parse(time);
  if (Number.isNaN(then)) return '–';
  const seconds = Math.max(0, (now - then) / 1000);
  if (seconds < 45) return 'now';
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** @param time in ISO 8601 */
export function formatTime(time: string | null): string {
  const date = new Date(time ?? NaN);
  if (Number.isNaN(date.getTime())) return '–';
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/**
 * Control characters, and those that turn the direction of what follows, as the numbers that they have: a name that others chose
 * cannot look like another.
 */
export function visible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF]/gu,
    (character) => (character === '\n' || character === '\t' ? character : codePoint(character)),
  );
}

function codePoint(character: string): string {
  return `<U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}>`;
}
