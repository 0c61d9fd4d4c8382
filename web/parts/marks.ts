// What happened at a step, as marks on curves: notices, bad steps, steering, checkpoints; and what is shown beside them.
import type uPlot from 'uplot';
import { colour, faint } from './theme.svelte.ts';

export type MarkKind = 'here' | 'notice' | 'bad' | 'steering' | 'checkpoint';

export interface Mark {
  readonly step: number;
  readonly kind: MarkKind;
  readonly text: string;
}

export const markColours: Readonly<Record<MarkKind, string>> = {
  here: '--accent',
  notice: '--warn',
  bad: '--bad',
  steering: '--series-4',
  checkpoint: '--strong-line',
};

/** Marks with their places on x. */
export type PlacedMark = Mark & { readonly x: number };

/** Draws checkpoints as ticks below, all others as lines. */
export function drawMarks(chart: uPlot, marks: readonly PlacedMark[]): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  ctx.save();
  for (const { x, kind } of marks) {
    const left = Math.round(chart.valToPos(x, 'x', true));
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    const color = colour(markColours[kind]);
    const bottom = bbox.top + bbox.height;
    ctx.fillStyle = color;
    if (kind === 'checkpoint') {
      ctx.fillRect(left - ratio / 2, bottom - 6 * ratio, ratio, 6 * ratio);
      continue;
    }
    ctx.strokeStyle = faint(color, 0.7);
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bottom);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(left - 4 * ratio, bbox.top);
    ctx.lineTo(left + 4 * ratio, bbox.top);
    ctx.lineTo(left, bbox.top + 6 * ratio);
    ctx.fill();
  }
  ctx.restore();
}
