// What stands beside weights of the data that they were trained on.
import { type DataRecord, dataRecordSchema } from '../../known/data-record.ts';
import type { ImportOptions } from './options.ts';

/** What stays true of weights wherever they go: the set itself may be another from now on. */
type KnownData = Pick<DataRecord, 'classNames' | 'record' | 'told'>;

/**
 * What classes are called and what values mean: from the metadata of a file that rectiflow wrote, or the id2label of diffusers.
 * @param beside what the file holds beside the weights
 * @param classes of the model
 */
export function findData(
  beside: Readonly<Record<string, unknown>>,
  classes: number,
  { latents, onNotice }: Pick<ImportOptions, 'latents' | 'onNotice'>,
): KnownData {
  const { classNames = namesOf(beside['id2label']), record, told } = ownData(beside['data'], onNotice);
  const areNames =
    classNames && classNames.length <= classes && new Set(classNames).size === classNames.length;
  if (classNames && !areNames)
    onNotice?.(`its ${classNames.length} class names are not used: they are no names of ${classes} classes`);
  const meaning = latents ? { kind: 'latents', ...latents } : record;
  return {
    ...(areNames && { classNames }),
    ...(meaning && { record: meaning }),
    ...(told && { told }),
  };
}

/** Of a file that rectiflow wrote. */
function ownData(json: unknown, onNotice: ImportOptions['onNotice']): DataRecord {
  if (typeof json !== 'string') return {};
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = json;
  }
  const parsed = dataRecordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  onNotice?.(`what it says of its data is not used: ${parsed.error.issues[0]!.message}`);
  return {};
}

/** `{"0": "tench", "1": "goldfish"}` of a pipeline for classes. */
function namesOf(labels: unknown): string[] | undefined {
  if (typeof labels !== 'object' || labels === null) return undefined;
  const { length } = Object.keys(labels);
  const names = Array.from({ length }, (_, label) => (labels as Record<string, unknown>)[label]);
  return length > 0 && names.every((name) => typeof name === 'string') ? (names as string[]) : undefined;
}
