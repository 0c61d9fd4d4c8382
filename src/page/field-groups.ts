// Which fields a log has, and which of them are drawn together.
import type { FieldGroup, FieldInfo, LogRecord } from './contract.ts';
import { OpenLog } from './log-file.ts';
import { fieldsOf, parseRecord } from './records.ts';
import { sampleLog } from './series/sampled.ts';

type Unit = '' | 's' | 'bytes' | 'samples/s' | 'share' | 'dB';

/** In the order in which they are shown. */
const groups: readonly (readonly [
  title: string,
  fields: Readonly<Record<string, readonly [label: string, unit: Unit]>>,
])[] = [
  ['Loss', { loss: ['loss', ''] }],
  [
    'Held-out loss',
    {
      heldOutLoss: ['held out', ''],
      heldOutLossEma: ['held out, averaged weights', ''],
      heldOutLossUnconditional: ['held out, not told', ''],
      trainedLoss: ['trained on', ''],
    },
  ],
  ['Reconstruction', { heldOutL1: ['held out, mean absolute error', ''] }],
  ['PSNR', { heldOutPsnr: ['held out', 'dB'] }],
  ['Gradient norm', { gradNorm: ['gradient norm', ''] }],
  ['Learning rate', { learningRate: ['learning rate', ''] }],
  ['Change of a step', { updateRatio: ['of the weights', 'share'] }],
  ['Distance of the average', { emaDistance: ['from the weights', 'share'] }],
  ['Speed', { samplesPerSecond: ['samples per second', 'samples/s'] }],
  [
    'Use of the time',
    {
      dataWait: ['waiting for data', 'share'],
      efficiency: ['ranks that compute', 'share'],
      mfu: ['model FLOP utilisation', 'share'],
    },
  ],
  ['Ranks', { computing: ['computing', 's'], communication: ['waiting for others', 's'] }],
  ['Memory', { memory: ['now', 'bytes'], peakMemory: ['at most', 'bytes'] }],
  ['Skipped steps', { skipped: ['so far', ''] }],
];

/** Of fields that are several by name or place. */
const nested: Readonly<Record<string, string>> = {
  lossByTime: 'Loss by time',
  lossBySize: 'Loss by size',
  lossParts: 'Parts of the loss',
  heldOutLossBySize: 'Held-out loss by size',
  gradNormByBlock: 'Gradient norm by block',
};

const times = ['0 to 1/4 (data)', '1/4 to 1/2', '1/2 to 3/4', '3/4 to 1 (noise)'];
/** What curves are drawn over. */
const axes = new Set(['step', 'epoch', 'seconds']);
/** A log is looked through for fields at its ends and, where that is not all of it, at places between. */
const endBytes = 256 << 10;

export async function fieldsOfLog(path: string | undefined): Promise<FieldGroup[]> {
  if (path === undefined) return [];
  const names = await OpenLog.with(path, async (log) => {
    const lines = await log.tail(endBytes);
    const isAll = log.mark.size <= endBytes;
    const between = isAll ? [] : await recordsBetween(log);
    return new Set(
      [...lines.map(parseRecord), ...between].flatMap((record) => (record ? fieldsOf(record) : [])),
    );
  });
  return grouped([...names].filter((name) => !axes.has(name)));
}

async function recordsBetween(log: OpenLog): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  await sampleLog(log, [], { from: 0, to: Infinity }, (record) => records.push(record));
  return records;
}

function grouped(names: readonly string[]): FieldGroup[] {
  const left = new Set(names);
  const known = groups.map(([title, fields]) => {
    const found = Object.entries(fields).filter(([name]) => left.delete(name));
    return { title, fields: found.map(([name, [label, unit]]) => ({ name, label, unit })) };
  });
  const byGroup = Object.entries(nested).map(([group, title]) => {
    const found = [...left].filter((name) => name.startsWith(`${group}.`) && left.delete(name));
    return { title, fields: found.map((name) => infoOf(group, name)) };
  });
  const others = { title: 'Other', fields: [...left].map((name) => ({ name, label: name, unit: '' })) };
  return [...known, ...byGroup, others].filter(({ fields }) => fields.length > 0);
}

function infoOf(group: string, name: string): FieldInfo {
  const key = name.slice(group.length + 1);
  return { name, label: group === 'lossByTime' ? (times[Number(key)] ?? key) : key, unit: '' };
}
