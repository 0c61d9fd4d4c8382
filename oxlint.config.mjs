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
  latents: ['tensor', 'program', 'nn', 'models', 'backends/backend.ts'],
  optim: ['tensor', 'ops', 'nn'],
  data: ['tensor'],
  tokenizers: ['tensor'],
  steering: [],
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
    'steering',
    'backends/backend.ts',
  ],
  share: [
    'tensor',
    'program',
    'nn',
    'models',
    'flow',
    'latents',
    'data',
    'tokenizers',
    'train',
    'backends/backend.ts',
  ],
  kept: ['tensor', 'nn', 'models', 'optim', 'data', 'tokenizers', 'train', 'share', 'backends/backend.ts'],
};

/** Of the room of formats, what knows of bytes in memory alone: it runs anywhere, too. */
const coreFormats = ['safetensors', 'json', 'npy-bytes'].map((name) => `formats/${name}.ts`);
core.kept.push(...coreFormats);

/** The same of the rooms for Node.js. */
const around = {
  backends: ['tensor', 'ops', 'program', 'host'],
  host: ['tensor', 'train/host-memory.ts', 'kept/machine.ts'],
  formats: ['tensor', 'host'],
  runs: ['tensor', 'optim', 'steering', 'train', 'kept', 'host', 'formats', 'backends/backend.ts'],
  sinks: ['tensor', 'train', 'host', 'formats', 'runs'],
  interop: ['tensor', 'ops', 'program', 'nn', 'models', 'host', 'formats'],
  pictures: ['tensor', 'data', 'train'],
  text: ['tensor', 'models', 'data', 'tokenizers', 'train', 'host', 'formats'],
  sources: ['tensor', 'data', 'host', 'formats', 'pictures'],
  distributed: ['tensor', 'train', 'host'],
  check: ['tensor', 'data', 'tokenizers', 'train', 'text', 'sources'],
  recipes: ['config/config.ts'],
};

const rooms = { ...core, ...around };

/** Rooms that stand on all of these; a room may import from those before it. */
const above = ['config', 'known', 'runner', 'api', 'report', 'page', 'cli'];
/** Those of them that are handed a backend, and choose none. */
const backendNeutral = new Set(['config', 'known', 'runner']);

const everyRoom = [...Object.keys(rooms), ...above];

function allowed(room) {
  if (room in rooms) return rooms[room];
  const mayChoose = !backendNeutral.has(room);
  const lower = Object.keys(rooms).filter((each) => each !== 'backends' || mayChoose);
  return [...lower, ...above.slice(0, above.indexOf(room)), ...(mayChoose ? [] : ['backends/backend.ts'])];
}

/** What hosts other than Node.js do not have. */
const nodeGlobals = [
  'process',
  'Buffer',
  'setImmediate',
  'clearImmediate',
  'global',
  '__dirname',
  '__filename',
  'require',
];

function anywhere(where) {
  const message = `${where} runs in browsers, too: what it needs of Node.js or a package is handed in.`;
  return { patterns: [{ regex: '^[^.]', message }], globals: ['error', ...nodeGlobals] };
}

function imports(room) {
  const may = allowed(room);
  const group = everyRoom
    .filter((other) => other !== room && !may.includes(other))
    .map((other) => `**/${other}/**`);
  const exceptions = may.filter((each) => each.endsWith('.ts')).map((each) => `!**/${each}`);
  const message = `src/${room} may import only from: ${may.join(', ') || 'itself'}. docs/architecture.md says why.`;
  const patterns = group.length === 0 ? [] : [{ group: [...group, ...exceptions], message }];
  if (!(room in core)) return rules([`src/${room}/**`], patterns);
  const { patterns: packages, globals } = anywhere(`src/${room}`);
  return rules([`src/${room}/**`], [...patterns, ...packages], globals);
}

function rules(files, patterns, globals = 'off') {
  return {
    files,
    rules: { 'no-restricted-imports': ['error', { patterns }], 'no-restricted-globals': globals },
  };
}

/** Of the room of backends, what is not the CPU's belongs to the core, and so does the list of what is public of that. */
const coreBackends = (() => {
  const files = [
    'src/backends/*.ts',
    'src/backends/reference/**',
    'src/backends/webgpu/**',
    'src/backends/wasm/**',
  ];
  const onlyInNode = ['choose', 'choose-gpu', 'node-gpu'].map((name) => `src/backends/${name}.ts`);
  const may = core.program.concat('program');
  const message = `src/backends, but for cpu/, may import only from: ${may.join(', ')}.`;
  const group = [...everyRoom, 'cpu']
    .filter((other) => ![...may, 'backends'].includes(other))
    .map((other) => `**/${other}/**`);
  const { patterns, globals } = anywhere('src/backends, but for cpu/,');
  return [
    { ...rules(files, [{ group, message }, ...patterns], globals), excludeFiles: onlyInNode },
    rules(
      ['src/core.ts'],
      [
        {
          group: [
            './backends/cpu/**',
            ...onlyInNode.map((file) => file.replace('src', '.')),
            ...everyRoom
              .filter((room) => !(room in core) && room !== 'backends')
              .map((room) => `./${room}/**`),
          ],
          message: 'src/core.ts lists what is public of the core.',
        },
      ],
      globals,
    ),
  ];
})();

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
    ...coreBackends,
    rules(
      coreFormats.map((file) => `src/${file}`),
      [
        {
          group: [
            './*',
            ...everyRoom.filter((other) => other !== 'tensor').map((other) => `**/${other}/**`),
            ...coreFormats.map((file) => file.replace('formats', '!.')),
          ],
          message: `${coreFormats.join(', ')} may import only from: tensor, and each other.`,
        },
        ...anywhere('what of src/formats belongs to the core').patterns,
      ],
      anywhere('what of src/formats belongs to the core').globals,
    ),
    rules(
      ['web/share/**'],
      [
        {
          group: [
            '**/src/**',
            ...Object.keys(core).map((room) => `!**/src/${room}/**`),
            '!**/src/backends/**',
            // Know of no files themselves.
            '!**/src/formats/safetensors.ts',
            '!**/src/interop/dit-weights.ts',
          ],
          message: 'The page of a shared model stands on the core.',
        },
      ],
    ),
    rules(
      ['web/parts/**', 'web/watch/**'],
      [
        {
          group: ['**/src/**', '!**/src/page/contract.ts'],
          message: 'The page knows of the package only what src/page/contract.ts says.',
        },
      ],
    ),
    // AssemblyScript: its compiler checks it, and `==` compares numbers there.
    { files: ['src/backends/wasm/kernels/**'], rules: { eqeqeq: 'off' } },
    // Style sheets are imported for what they do.
    { files: ['web/**'], rules: { 'import/no-unassigned-import': ['error', { allow: ['**/*.css'] }] } },
    { files: ['scripts/**', 'bench/**', 'examples/**'], rules: { 'no-console': 'off' } },
  ],
};
