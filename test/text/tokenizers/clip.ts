// A tokenizer.json like that of CLIP, but of three words.
const words = ['red', 'heart', 'cat'];
const letters = [...new Set(words.join(''))].toSorted();
export const START = '<|startoftext|>';
export const END = '<|endoftext|>';

/** Merges that build each word from its letters, the last of which carries the suffix. */
const merges = words.flatMap((word) => {
  const parts = [...word.slice(0, -1), `${word.at(-1)}</w>`];
  return parts.slice(1).map((part, i) => [parts.slice(0, i + 1).join(''), part]);
});
const pieces = [
  ...letters,
  ...letters.map((letter) => `${letter}</w>`),
  ...merges.map((pair) => pair.join('')),
];
export const vocab = Object.fromEntries([...pieces, START, END].map((piece, id) => [piece, id]));
export const id = (piece: string): number => vocab[piece]!;

/** The form of CLIP's tokenizer.json, with three words. */
export const clip = {
  version: '1.0',
  truncation: { max_length: 3, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 5 }, pad_id: 0, pad_token: 'a', pad_type_id: 0, direction: 'Left' },
  added_tokens: [START, END].map((content) => ({
    id: id(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: content === START,
    special: true,
  })),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'NFC' },
      { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
      { type: 'Lowercase' },
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
        behavior: 'Removed',
        invert: true,
      },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
    ],
  },
  post_processor: {
    type: 'RobertaProcessing',
    sep: [END, id(END)],
    cls: [START, id(START)],
    trim_offsets: false,
    add_prefix_space: false,
  },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: END,
    continuing_subword_prefix: '',
    end_of_word_suffix: '</w>',
    fuse_unk: false,
    vocab,
    merges: merges.map((pair) => pair.join(' ')),
  },
};
