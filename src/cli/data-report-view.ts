// A report on data, as people read it.
import { describeTokens } from '../check/caption-census.ts';
import { describePerChannel } from '../data/latents.ts';
import type { DataReport, LatentReport, SizeReport, Tally } from '../check/data-report.ts';
import { describeUnused } from '../data/told.ts';
import { formatInteger, formatValue, padShown, shownWidth } from './format.ts';
import { counted } from '../tensor/counted.ts';

const BAR = 24;
/** Of the parts of a report; what follows a title on the lines below it is as far in. */
const TITLE = 15;
/** Classes beyond so many are left out in the middle: the largest and the smallest say most. */
const MOST_CLASSES = 24;
const NAMED = 20;

export function reportLines(report: DataReport): string[] {
  const { name, count, classes = [], sizes, aspects, formats } = report;
  return [
    `${name}: ${formatInteger(count)} ${describeShape(report)}`,
    '',
    ...part('told', [report.told]),
    ...part('pairs', report.pairedBy === undefined ? [] : [`noise, and what ${report.pairedBy} made of it`]),
    ...part('unused', report.unused.map(describeUnused)),
    ...part('classes', classLines(classes)),
    ...part('shorter side', bars(sizes)),
    ...part('width:height', bars(aspects)),
    ...part('formats', bars(formats)),
    ...part('read at', sizeLines(report.readAt)),
    ...part('values', valueLines(report)),
    ...part('captions', captionLines(report)),
    ...part('unreadable', named(report.unreadable.count, report.unreadable.problems)),
    ...part(
      'copies',
      named(
        report.duplicates.count,
        report.duplicates.pairs.map(([copy, of]) => `${copy} is a copy of ${of}`),
      ),
    ),
    ...part('told apart', conflictLines(report)),
    '',
    ...adviceLines(report),
  ];
}

function describeShape({ shape, expression }: DataReport): string {
  if (expression) return `cells, ${counted(expression.genes, 'gene')} each`;
  const [channels, height, width] = shape;
  if (shape.length !== 3) return `samples of ${shape.join(' x ')} numbers`;
  const kind = channels === 1 ? 'grey' : channels === 3 ? 'RGB' : `${channels} channels`;
  return `samples of ${height} x ${width} (height x width), ${kind}`;
}

/** A title beside the first of its lines. */
function part(title: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => (i === 0 ? title : '').padEnd(TITLE) + line);
}

function bars(tallies: readonly Tally[]): string[] {
  const [only] = tallies;
  if (only && tallies.length === 1) return [`${only.name}: all ${formatInteger(only.count)}`];
  const widest = Math.max(...tallies.map(({ name }) => shownWidth(name)));
  const most = Math.max(...tallies.map(({ count }) => count));
  return tallies.map(({ name, count }) => {
    const length = count === 0 ? 0 : Math.max(1, Math.round((BAR * count) / most));
    return `${padShown(name, widest)}  ${'█'.repeat(length).padEnd(BAR)}  ${formatInteger(count)}`;
  });
}

/** `640x384  ████  12 images, 1 step an epoch, 3 % cropped` */
function sizeLines(sizes: readonly SizeReport[] = []): string[] {
  const counts = bars(sizes);
  return sizes.map(({ name, count, cropped, steps }, i) => {
    const line = sizes.length === 1 ? `${name}: all ${formatInteger(count)}` : counts[i]!;
    const parts = [
      ...(steps === undefined ? [] : [`${counted(steps, 'step')} an epoch`]),
      ...(count > 0 ? [`${Math.round(100 * cropped)} % cropped away`] : []),
    ];
    return [`${line}`, ...parts].join(', ');
  });
}

function classLines(classes: readonly Tally[]): string[] {
  if (classes.length <= MOST_CLASSES) return bars(classes);
  const sorted = classes.toSorted((a, b) => b.count - a.count);
  const half = MOST_CLASSES / 2;
  const lines = bars([...sorted.slice(0, half), ...sorted.slice(-half)]);
  const left = `... and ${formatInteger(classes.length - MOST_CLASSES)} more between these`;
  return [...lines.slice(0, half), left, ...lines.slice(half)];
}

function valueLines({ values, expression, latents }: DataReport): string[] {
  if (values === undefined) return [];
  const { least, most, mean, deviation } = values;
  const range = `${formatValue(least)} to ${formatValue(most)}`;
  const seen = `the model sees ${range}, mean ${formatValue(mean)}, deviation ${formatValue(deviation)}`;
  if (latents) return [...latentLines(latents), seen];
  if (expression === undefined) return [seen];
  const { normalize, target, areCounts, zeros, emptyCells } = expression;
  const scaled = `each cell is scaled to ${formatInteger(target)} in all, then log(1 + x)`;
  return [
    normalize === 'none'
      ? 'taken as they are stored: log-transformed already, or data.normalize is none'
      : `${areCounts ? 'counts' : 'no whole numbers, and not log-transformed'}: ${scaled}`,
    seen,
    `${(100 * zeros).toFixed(1)} % are zero${emptyCells > 0 ? `; cells of zeros only: ${formatInteger(emptyCells)}` : ''}`,
  ];
}

/** Channels beyond so many are left out. */
const MOST_CHANNELS = 16;

function latentLines({ autoencoder, scale, shift, channels }: LatentReport): string[] {
  const of =
    autoencoder === undefined
      ? 'an autoencoder that nothing tells'
      : `the autoencoder ${autoencoder.slice(0, 12)}`;
  const shown = channels
    .slice(0, MOST_CHANNELS)
    .map(
      ({ mean, deviation }, channel) =>
        `channel ${channel}: mean ${formatValue(mean)}, deviation ${formatValue(deviation)}`,
    );
  const more = channels.length - shown.length;
  return [
    `latents of ${of}, scale ${describePerChannel(scale)}, shift ${describePerChannel(shift)}`,
    ...shown,
    ...(more > 0 ? [`... and ${formatInteger(more)} more channels`] : []),
  ];
}

function captionLines({ captions }: DataReport): string[] {
  if (captions === undefined) return [];
  const { longest, meanLength, tokens } = captions;
  return [
    ...(tokens ? [describeTokens(tokens)] : []),
    `${formatValue(meanLength)} characters on average; the longest:`,
    ...longest.map(({ sample, caption }) => `${caption.length}  "${shorten(caption)}"  ${sample}`),
  ];
}

/** Copies of which the model is told something else. */
function conflictLines({ duplicates, captions }: DataReport): string[] {
  const { count, pairs } = duplicates.conflicts;
  const what = captions ? 'caption' : 'class';
  return named(
    count,
    pairs.map(([copy, of]) => `${copy} is a copy of ${of}, with another ${what}`),
  );
}

/** A caption on a line of its own. */
function shorten(caption: string): string {
  const line = caption.replace(/\s+/gu, ' ');
  return line.length > 72 ? `${line.slice(0, 69)}...` : line;
}

function named(count: number, lines: readonly string[]): string[] {
  if (count === 0) return [];
  const shown = lines.slice(0, NAMED);
  const more = count - shown.length;
  return [formatInteger(count), ...shown, ...(more > 0 ? [`... and ${formatInteger(more)} more`] : [])];
}

function adviceLines({ advice }: DataReport): string[] {
  if (advice.length === 0) return ['Nothing needs to be changed.'];
  return ['To change:', ...advice.map((sentence, i) => `  ${i + 1}. ${sentence}`)];
}
