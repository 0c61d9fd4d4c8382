// What stands beside weights of the data that they were trained on.
import { type DataRecord, dataRecordSchema } from '../../known/data-record.ts';
import { type LatentRecord, latentRecord, latentRecordOf } from '../../data/latents.ts';
import { fileError } from '../../tensor/errors.ts';
import type { ReadAutoencoder } from '../autoencoder.ts';
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
  autoencoder?: ReadAutoencoder,
): KnownData {
  const { classNames = namesOf(beside['id2label']), record, told } = ownData(beside['data'], onNotice);
  const areNames =
    classNames && classNames.length <= classes && new Set(classNames).size === classNames.length;
  if (classNames && !areNames)
    onNotice?.(`its ${classNames.length} class names are not used: they are no names of ${classes} classes`);
  const scaling = latents ?? autoencoder?.autoencoder.scaling;
  const meaning = scaling ? { ...latentRecord(scaling, autoencoder?.fingerprint) } : record;
  if (autoencoder) checkAutoencoder(autoencoder, latentRecordOf(record));
  return {
    ...(areNames && { classNames }),
    ...(meaning && { record: meaning }),
    ...(told && { told }),
  };
}

/** A file that rectiflow wrote knows which autoencoder its latents are of. */
function checkAutoencoder(given: ReadAutoencoder, known: LatentRecord | undefined): void {
  if (known?.autoencoder === undefined || known.autoencoder === given.fingerprint) return;
  const [wanted, found] = [known.autoencoder, given.fingerprint].map((each) => each.slice(0, 12));
  const problem = `is another autoencoder (${found}) than the one whose latents the weights know (${wanted})`;
  throw fileError(given.path, problem, 'Give that one: pictures of another would mean nothing');
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
