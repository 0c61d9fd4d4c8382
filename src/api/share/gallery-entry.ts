// A model of a gallery, in Markdown.
import { counted, grouped } from '../../tensor/counted.ts';
import type { GalleryEntry } from './gallery.ts';

export function describeEntry({ card, bytes, picture }: GalleryEntry): string {
  const { title, source, samples, step, steps, seconds, machine, parameters, loss, heldOutLoss, note } = card;
  const { format, rms } = card.difference;
  const kept = format === 'float32' ? 'exactly' : `samples differ by ${percent(rms)} of their deviation`;
  const rows = [
    ['Trained on', samples === undefined ? source : `${source}, ${counted(samples, 'sample')}`],
    [
      'Training',
      `${grouped(step)} of ${grouped(steps)} steps, ${duration(seconds)}${machine ? ` on ${machine}` : ''}`,
    ],
    ...(loss === undefined ? [] : [['Loss', String(Number(loss.toPrecision(3)))]]),
    ...(heldOutLoss === undefined ? [] : [['Held-out loss', String(Number(heldOutLoss.toPrecision(3)))]]),
    ['Parameters', grouped(parameters)],
    ['As a page', `${(bytes / 1e6).toPrecision(2)} MB of weights in ${format}: ${kept}`],
  ] as [string, string][];
  return [
    `## ${escaped(title)}`,
    ...(picture ? [`![Samples](${encodeURI(picture)})`] : []),
    ...(card.picture ? [`*${escaped(card.picture.text)}*`] : []),
    ['|  |  |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${escaped(value)} |`)].join(
      '\n',
    ),
    ...(note === undefined ? [] : [escaped(note)]),
  ].join('\n\n');
}

/** Titles and names of sources are text: nothing in them is markup. */
function escaped(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_[\]<>#|!&]/g, (letter) => `\\${letter}`);
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
