// Text from outside (names of files, classes, genes, columns; what servers answer) as it may be shown: a terminal obeys control
// characters, bidirectional ones make a line read as what it is not, and what is invisible lets two names look alike.

/** Emoji of flags are spelt with tags, others joined; scripts that join their letters need joiners; signs have variants. */
const legitimate = [
  String.raw`\u{1F3F4}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{3,6}\u{E007F}`,
  String.raw`(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])\u200D(?=\p{Extended_Pictographic})`,
  String.raw`(?<=[${joining()}])[\u200C\u200D](?=[${joining()}])`,
  String.raw`(?<=\p{Emoji})[\uFE0E\uFE0F]`,
  String.raw`(?<=\p{Script=Han})[\uFE00-\uFE02\u{E0100}-\u{E01EF}]`,
  String.raw`(?<=\p{Script=Mongolian})[\u180B-\u180D\u180F]`,
];
/** Control characters, halves of pairs, separators of lines, whatever is invisible by Unicode's own word, and what is no character. */
const hidden = String.raw`[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\uFFF9-\uFFFB]`;

const pattern = new RegExp(`(${legitimate.join('|')})|${hidden}`, 'gu');
const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text as one line that can be shown anywhere: what a terminal would obey, or nobody would see, is escaped (`\x1b`, `\u202e`).
 * Letters of all scripts stay as they are. What was made printable stays as it is.
 */
export function printable(text: string): string {
  return replaceHidden(text, (character) => {
    const code = character.codePointAt(0)!;
    const hex = code.toString(16);
    if (code < 0x100) return named[character] ?? `\\x${hex.padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
  });
}

/** As JSON.stringify, which leaves much that nobody would see: JSON that can be shown, and reads as the same value. */
export function printableJson(
  value: unknown,
  replacer?: (key: string, value: unknown) => unknown,
  indent?: number,
): string {
  return replaceHidden(JSON.stringify(value, replacer, indent), (character) => {
    // JSON.stringify itself leaves no other newline.
    if (character === '\n') return character;
    const units = character.split('').map((unit) => unit.charCodeAt(0).toString(16));
    return units.map((unit) => `\\u${unit.padStart(4, '0')}`).join('');
  });
}

function replaceHidden(text: string, escape: (character: string) => string): string {
  return text.replace(pattern, (character, kept: string | undefined) => kept ?? escape(character));
}

/** Letters and marks of the scripts whose letters join. */
function joining(): string {
  const scripts = [
    'Arab',
    'Syrc',
    'Mong',
    'Nkoo',
    'Deva',
    'Beng',
    'Guru',
    'Gujr',
    'Orya',
    'Taml',
    'Telu',
    'Knda',
  ];
  return [...scripts, 'Mlym', 'Sinh', 'Khmr', 'Mymr', 'Tibt'].map((script) => `\\p{scx=${script}}`).join('');
}
