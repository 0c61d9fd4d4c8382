// events.jsonl: what a run was asked while it trained, and what became of it, a line each. Lines are added, never changed.
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../host/durable.ts';
import { readRegular } from '../host/regular-file.ts';
import type { SteeringEvent } from '../steering/event.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';
import { printableJson } from '../tensor/printable.ts';

const from0 = z.number().int().nonnegative();

const schema = z.object({
  id: z.string(),
  step: from0,
  time: z.string(),
  kind: z.enum(['pause', 'goOn', 'save', 'stop', 'set', 'sample']),
  settings: z
    .object({
      learningRate: z.number().positive().optional(),
      sampleEvery: from0.optional(),
      checkpointEvery: from0.optional(),
      logEvery: z.number().int().positive().optional(),
      sample: z.record(z.string(), z.unknown()).optional(),
    })
    .exactOptional(),
  samples: z
    .object({
      rows: z.array(z.object({ label: from0.exactOptional(), caption: z.string().exactOptional() })),
      counts: z.array(from0),
      weights: z.string(),
      seed: from0,
      sampler: z.string(),
      steps: from0,
      guidance: z.number(),
      guidanceInterval: z.tuple([z.number(), z.number()]),
      timeShift: z.number(),
      rtol: z.number(),
      atol: z.number(),
      diffusion: z.number(),
      eta: z.number(),
      clip: z.number(),
    })
    .exactOptional(),
  made: z.object({ count: from0, folder: z.string(), view: z.string() }).exactOptional(),
  outcome: z.enum(['applied', 'refused']),
  sentence: z.string().exactOptional(),
}) satisfies z.ZodType<SteeringEvent>;

export function steeringEventsPath(run: string): string {
  return join(run, 'events.jsonl');
}

/**
 * What a run was asked so far, in order. A last line that a crash cut never had an effect, and is left out.
 * @throws RectiflowError naming a line that is no event, because the settings of steps after it are not known without it
 */
export async function readSteering(run: string): Promise<SteeringEvent[]> {
  const path = steeringEventsPath(run);
  const { events } = parse(await readAll(path), path);
  return events;
}

async function readAll(path: string): Promise<Buffer> {
  return readRegular(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw fileError(path, systemProblem(error), 'Check the path and the disk', error);
  });
}

function parse(bytes: Buffer, path: string): { events: SteeringEvent[]; size: number } {
  const size = bytes.lastIndexOf('\n') + 1;
  const lines = bytes.toString('utf8', 0, size).split('\n').slice(0, -1);
  return { events: lines.map((line, i) => parseLine(line, `${path}, line ${i + 1}`)), size };
}

function parseLine(line: string, where: string): SteeringEvent {
  const parsed = schema.safeParse(jsonOrNone(line));
  if (parsed.success) return parsed.data;
  const advice = 'Restore it from a backup, or remove the line: what it changed is then not changed';
  throw fileError(where, 'is no event of a run that was steered', advice);
}

function jsonOrNone(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Events that are written down elsewhere. @throws RectiflowError naming the first that is none */
export function steeringOf(events: readonly unknown[], origin: string): SteeringEvent[] {
  return events.map((event, i) => {
    const parsed = schema.safeParse(event);
    if (parsed.success) return parsed.data;
    const advice = 'Write it down again, with rectiflow repro';
    throw fileError(origin, `steering.${i} is no event of a run that was steered`, advice);
  });
}

/** Of a run that begins, and is to be changed as another was. */
export async function recordSteering(run: string, events: readonly SteeringEvent[]): Promise<void> {
  const log = await SteeringLog.open(run);
  for (const event of events) await log.append(event);
}

/** Of the process that trains the run. */
export class SteeringLog {
  readonly #path: string;
  readonly #events: SteeringEvent[];
  #size: number;

  private constructor(path: string, events: SteeringEvent[], size: number) {
    this.#path = path;
    this.#events = events;
    this.#size = size;
  }

  /** @throws RectiflowError as `readSteering` does */
  static async open(run: string): Promise<SteeringLog> {
    const path = steeringEventsPath(run);
    const { events, size } = parse(await readAll(path), path);
    return new SteeringLog(path, events, size);
  }

  get events(): readonly SteeringEvent[] {
    return this.#events;
  }

  /**
   * Adds a line, and flushes it to the disk.
   * @throws RectiflowError where that fails; nothing is added then
   */
  async append(event: SteeringEvent): Promise<void> {
    const line = Buffer.from(`${printableJson(event)}\n`);
    try {
      // Not for appending: what was cut by a full disk, or a crash, must be overwritten.
      const file = await open(this.#path, 'r+').catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return open(this.#path, 'wx+');
      });
      try {
        await this.#write(file, line);
      } finally {
        await file.close();
      }
      if (this.#size === 0) await syncDirectory(dirname(this.#path));
    } catch (error) {
      const problem = `what the run is asked cannot be recorded: ${systemProblem(error)}`;
      throw fileError(
        this.#path,
        problem,
        'It has no effect. Free some space or check the disk, and ask again',
        error,
      );
    }
    this.#size += line.length;
    this.#events.push(event);
  }

  async #write(file: FileHandle, line: Buffer): Promise<void> {
    try {
      await file.truncate(this.#size);
      for (let done = 0; done < line.length;)
        done += (await file.write(line, done, line.length - done, this.#size + done)).bytesWritten;
      await file.sync();
    } catch (error) {
      await file.truncate(this.#size).catch(() => {});
      throw error;
    }
  }
}
