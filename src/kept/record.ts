// config.json of a run's folder.
import { parseJsonText } from '../formats/json.ts';
import { fileError } from '../tensor/errors.ts';
import { sha256 } from '../tensor/sha256.ts';
import { decodeText } from '../tensor/text.ts';
import type { Machine } from './machine.ts';

/** The content of config.json. */
export interface RunRecord {
  /** The version of rectiflow that started the run. */
  readonly version: string;
  /** ISO 8601. */
  readonly created: string;
  readonly machine: Machine;
  /** As it was resolved, seed included. */
  readonly config: unknown;
  /** Of the config when the run began; runs of earlier versions have none. */
  readonly configSha256?: string;
}

/** Of a run that begins now. @param config the resolved config, plain JSON */
export async function newRecord(
  config: unknown,
  { version, machine }: Pick<RunRecord, 'version' | 'machine'>,
): Promise<RunRecord> {
  const created = new Date().toISOString();
  return { version, created, machine, config, configSha256: await digestConfig(config) };
}

/** Whether a run's config is other than when the run began, by a user's hand or a damaged disk. */
export async function isEdited({ config, configSha256 }: RunRecord): Promise<boolean> {
  return configSha256 !== undefined && configSha256 !== (await digestConfig(config));
}

function digestConfig(config: unknown): Promise<string> {
  return sha256(JSON.stringify(config));
}

export function encodeRecord(record: RunRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** @throws RectiflowError when the file is damaged */
export function parseRecord(bytes: Uint8Array, file: string): RunRecord {
  const record = parseJsonText(decodeText(bytes, file), file, 'Restore it from a backup');
  const { version, config } = record;
  if (typeof version !== 'string' || typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw fileError(file, 'lacks "version" or "config"', 'Restore it from a backup');
  }
  return record as unknown as RunRecord;
}
