// Which fields of a run's log are asked for, and whether there are more by now.
import type { FieldGroup, LogRecord, SeriesAnswer } from '../../../src/page/contract.ts';

/** As many names, and letters of them, as one question has at most. */
const MOST_NAMES = 200;
const MOST_LETTERS = 4000;
const LONGEST_NAME = 200;

/** What curves are drawn over is in every series. */
const AXES = new Set(['step', 'epoch', 'seconds']);

/** The fields that can be asked for, as the value of `fields` in one or several questions. */
export function fieldQuestions(groups: readonly FieldGroup[]): string[] {
  const names = new Set(groups.flatMap(({ fields }) => fields.map(({ name }) => name)));
  const questions: string[][] = [[]];
  let letters = 0;
  for (const name of names) {
    // A comma parts names.
    if (name.length > LONGEST_NAME || name.includes(',')) continue;
    const encoded = encodeURIComponent(name);
    letters += encoded.length;
    if (letters > MOST_LETTERS || questions.at(-1)!.length === MOST_NAMES) {
      questions.push([]);
      letters = encoded.length;
    }
    questions.at(-1)!.push(encoded);
  }
  // A run that has logged nothing yet has none, and a question needs one.
  return questions.map((some) => (some.length === 0 ? 'loss' : some.join(',')));
}

/** Answers to several questions as one. @param answers at least one */
export function joinAnswers(answers: readonly SeriesAnswer[]): SeriesAnswer {
  const fields = Object.fromEntries(answers.flatMap((answer) => Object.entries(answer.fields)));
  const notes = [...new Set(answers.flatMap((answer) => answer.notes))];
  return { ...answers[0]!, fields, notes, isApproximate: answers.some((answer) => answer.isApproximate) };
}

/** What a record has that no group tells of: losses on held-out data come late. */
export function unknownFields(groups: readonly FieldGroup[], record: LogRecord): string[] {
  const known = new Set(groups.flatMap(({ fields }) => fields.map(({ name }) => name.split('.')[0])));
  return Object.keys(record).filter((name) => !AXES.has(name) && !known.has(name.split('.')[0]));
}
