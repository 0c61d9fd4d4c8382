/** The most of a value that a message shows. */
const most = 80;

/** A value that somebody else's file holds, as JSON in a message: cut where it is long, and in words where it is no JSON. */
export function shownJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // Nested deeper than the stack, within itself, or a bigint.
    text = typeof value === 'bigint' ? String(value) : undefined;
  }
  text ??= value === undefined ? 'nothing' : 'something that is nested too deep to be shown';
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}
