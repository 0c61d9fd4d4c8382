// What a launcher of ours and the ranks that it started tell each other: it hands over how its terminal is by the environment, and
// rank 0, which may run on another machine, tells what the launcher has to know on lines of standard error that nobody gets to see.

/** The variable of the environment that says that ranks were started by `--ranks`. */
export const handoverVariable = 'RECTIFLOW_LAUNCHER';

export interface Handover {
  /** Of the launcher's terminal; undefined where its standard output is none. */
  readonly columns: number | undefined;
}

/** What rank 0 tells. */
export interface Told {
  /** The run's folder, absolute, once there is something to save: from then on all ranks hear signals. */
  readonly run?: string;
  /** With what all ranks end, where they were stopped: not every mpirun passes it on every time. */
  readonly code?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns undefined where no launcher of ours has started this process */
export function findHandover(environment: Environment = process.env): Handover | undefined {
  const text = environment[handoverVariable];
  return text === undefined || text === '' ? undefined : (JSON.parse(text) as Handover);
}

const mark = 'rectiflow-launcher: ';

/** A line for standard error, plain ASCII. */
export function toldLine(told: Told): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return mark + JSON.stringify(told).replaceAll(/[^ -~]/g, escape);
}

/** @returns undefined of any other line */
export function readTold(line: string): Told | undefined {
  if (!line.startsWith(mark)) return undefined;
  try {
    return JSON.parse(line.slice(mark.length)) as Told;
  } catch {
    return undefined;
  }
}
