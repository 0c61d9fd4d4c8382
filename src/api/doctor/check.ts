/** What one check before training has found. */
export interface Check {
  /** What was looked at: `node`, `threads`, `memory`, ... */
  readonly name: string;
  /** warn: training works, but worse than it could; fail: it will not get anywhere. */
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found, and what to do about it where that is needed. */
  readonly text: string;
}

/** @param problems what to do something about, with its weight, the worst first; the first is told */
export function firstOf(
  name: string,
  fine: string,
  problems: readonly (readonly [holds: boolean, status: 'warn' | 'fail', text: string])[],
): Check {
  const found = problems.find(([holds]) => holds);
  return found ? { name, status: found[1], text: found[2] } : { name, status: 'ok', text: fine };
}
