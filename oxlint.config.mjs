// The linter's rules. The rooms of src/ and who may import whom are stated here alone; docs/architecture.md tells what is in them.

/**
 * Rooms that run anywhere: no node:*, no package, no process, no Buffer, also not in what they import. What each may import from,
 * beside itself; `backends` is everything of that room but what runs on Node.js alone.
 */
const core = {
  tensor: [],
  ops: ['tensor'],
  program: ['tensor', 'ops'],
  nn: ['tensor', 'ops'],
  models: ['tensor', 'ops', 'nn'],
  flow: ['tensor', 'ops', 'program', 'nn', 'models', 'backends/backend.ts'],
  optim: ['tensor', 'ops', 'nn'],
  data: ['tensor'],
  tokenizers: ['tensor'],
  train: [
    'tensor',
    'ops',
    'program',
    'nn',
    'models',
    'flow',
    'optim',
    'data',
    'tokenizers',
    'backends/backend.ts',
  ],
};

/** The same of the rooms for Node.js. */
const around = {
  backends: ['tensor', 'ops', 'program', 'host'],
  host: ['tensor', 'train/host-memory.ts'],
  formats: ['tensor', 'host'],
  runs: ['tensor', 'optim', 'train', 'host', 'formats', 'backends/backend.ts'],
  sinks: ['tensor', 'train', 'host', 'formats', 'runs'],
  interop: ['tensor', 'ops', 'program', 'host', 'formats'],
  pictures: ['tensor', 'data', 'train'],
  text: ['tensor', 'models', 'data', 'tokenizers', 'train', 'host', 'formats'],
  sources: ['tensor', 'data', 'host', 'formats', 'pictures'],
  check: ['tensor', 'data', 'tokenizers', 'train', 'text', 'sources'],
  recipes: ['config/config.ts'],
};

const rooms = { ...core, ...around };

/** Rooms that stand on all of these; a room may import from those before it. */
const above = ['config', 'known', 'runner', 'api', 'report', 'cli'];
/** Those of them that are handed a backend, and choose none. */
const backendNeutral = new Set(['config', 'known', 'runner']);

const everyRoom = [...Object.keys(rooms), ...above];

function allowed(room) {
  if (room in rooms) return rooms[room];
  const mayChoose = !backendNeutral.has(room);
  const lower = Object.keys(rooms).filter((each) => each !== 'backends' || mayChoose);
  return [...lower, ...above.slice(0, above.indexOf(room)), ...(mayChoose ? [] : ['backends/backend.ts'])];
}

function imports(room) {
  const may = allowed(room);
  const group = everyRoom
    .filter((other) => other !== room && !may.includes(other))
    .map((other) => `**/${other}/**`);
  const exceptions = may.filter((each) => each.endsWith('.ts')).map((each) => `!**/${each}`);
  const message = `src/${room} may import only from: ${may.join(', ') || 'itself'}. docs/architecture.md says why.`;
  const patterns = group.length === 0 ? [] : [{ group: [...group, ...exceptions], message }];
  if (room in core) {
    const anywhere = `src/${room} runs in browsers, too: what it needs of Node.js or a package is handed in.`;
    patterns.push({ regex: '^[^.]', message: anywhere });
  }
  return {
    files: [`src/${room}/**`],
    rules: {
      'no-restricted-imports': ['error', { patterns }],
      ...(room in core && { 'no-restricted-globals': ['error', 'process', 'Buffer'] }),
    },
  };
}

export default {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'vitest'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    'import/no-cycle': 'error',
    'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    'no-console': 'error',
    'unicorn/consistent-function-scoping': 'off',
    'import/no-named-as-default-member': 'off',
    'vitest/valid-title': 'off',
    'vitest/no-conditional-tests': 'off',
    'vitest/no-conditional-expect': 'off',
    'vitest/expect-expect': ['error', { assertFunctionNames: ['expect', 'check*', 'compare*', 'fc.assert'] }],
    'unicorn/require-post-message-target-origin': 'off',
    'unicorn/no-new-array': 'off',
  },
  ignorePatterns: ['dist', 'build', 'node_modules'],
  overrides: [
    ...everyRoom.map(imports),
    { files: ['scripts/**', 'bench/**', 'examples/**'], rules: { 'no-console': 'off' } },
  ],
};
