import type { CaptionMeter } from '../../data/caption-meter.ts';
import { listSome } from '../../data/list-some.ts';
import { counted } from '../../tensor/counted.ts';

/** Of a prompt, in characters. */
const longestShown = 60;

/**
 * The prompts of which a model is told only the beginning.
 * @returns a sentence with how many tokens each has; undefined where there are none
 */
export function describeCut(
  prompts: readonly string[],
  { length, measure }: CaptionMeter,
): string | undefined {
  const measured = prompts.map((prompt) => ({ prompt, tokens: measure(prompt).tokens }));
  const cut = measured.filter(({ tokens }) => tokens > length);
  if (cut.length === 0) return undefined;
  const named = cut.map(({ prompt, tokens }) => `${JSON.stringify(brief(prompt))} (${tokens} tokens)`);
  const be = cut.length === 1 ? 'is' : 'are';
  return (
    `${counted(cut.length, 'prompt')} ${be} longer than model.text.length = ${length} tokens, and the model is not told the rest: ` +
    `${listSome(named)}. Shorten them, or train a new run with a larger length.`
  );
}

function brief(prompt: string): string {
  return prompt.length > longestShown ? `${prompt.slice(0, longestShown)}...` : prompt;
}
