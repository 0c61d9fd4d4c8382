// `--ranks`: starts a job of ranks, stops it where this process is told to, and starts it again where ranks were lost.
import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../tensor/counted.ts';
import { type Handover, type Told, handoverVariable } from './handover.ts';
import { Job, type JobEnd } from './job.ts';
import { findPatience } from './launcher.ts';
import { type Mpirun, type Placement, mpirunArguments, mpirunEnvironment } from './mpirun.ts';

export interface LaunchOptions extends Placement {
  readonly mpirun: Mpirun;
  /** What each rank runs at first, and after `run` is known and ranks were lost. */
  command(run: string | undefined): readonly string[];
  /** How often a job whose ranks were lost is started again. */
  readonly restarts: number;
  readonly handover: Handover;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Aborted once: the ranks save and end. */
  readonly stop: AbortSignal;
  /** Handed each job that begins, which may have to be ended as it is. */
  onJob(job: Job): void;
  /** Milliseconds before a job is started again, in which a machine may come back. */
  readonly waitMs?: number;
  /** As a job has it. */
  readonly graceMs?: number;
  onOutput(bytes: Uint8Array): void;
  onErrorLine(line: string): void;
  onNotice(text: string): void;
  onRun(run: string): void;
}

/** What ranks on other machines need of the environment; of names alone, so that no key is seen in a list of processes. */
const passed = /^(?:RECTIFLOW_|WANDB_|MLFLOW_|NODE_OPTIONS$)/;

/** @returns how the last job ended @throws RectiflowError where mpirun cannot be started */
export async function launchRanks(options: LaunchOptions): Promise<JobEnd> {
  const { restarts, stop, waitMs = 5000, onNotice } = options;
  let run: string | undefined;
  for (let again = 1; ; again++) {
    const end = await runJob(options, run, (told) => {
      if (told.run === undefined || told.run === run) return;
      run = told.run;
      options.onRun(run);
    });
    if (end.kind !== 'lost' || again > restarts || stop.aborted) return end;
    if (end.sentence !== undefined) onNotice(end.sentence);
    onNotice(
      `all ranks are started again in ${counted(waitMs / 1000, 'second')}, ` +
        `${run === undefined ? 'from the beginning' : 'from the last checkpoint'} (${again} of ${restarts}).`,
    );
    await sleep(waitMs, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return { ...end, kind: 'stopped', sentence: undefined };
  }
}

async function runJob(
  { mpirun, command, handover, environment = process.env, stop, ...options }: LaunchOptions,
  run: string | undefined,
  onTold: (told: Told) => void,
): Promise<JobEnd> {
  const own = {
    ...environment,
    ...mpirunEnvironment(process.getuid?.() === 0),
    RECTIFLOW_MPI: mpirun.kind,
    [handoverVariable]: JSON.stringify(handover),
  };
  const names = Object.keys(own).filter((name) => passed.test(name));
  const job = new Job({
    ...mpirun,
    arguments: [...mpirunArguments(mpirun.kind, options, names, findPatience(environment)), ...command(run)],
    environment: own,
    onOutput: options.onOutput,
    onErrorLine: options.onErrorLine,
    onTold,
    graceMs: options.graceMs,
  });
  const ask = (): void => job.stop();
  options.onJob(job);
  if (stop.aborted) ask();
  stop.addEventListener('abort', ask);
  try {
    return await job.ended;
  } finally {
    stop.removeEventListener('abort', ask);
  }
}
