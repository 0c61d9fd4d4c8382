// What tests of kept runs do in a worker of a page: it answers calls by name with what they return, or the message of their error.

/** @param root of the repository, with a slash at its end */
export const keptWorker = (root: string): string => `
import { KeptRuns } from '${root}web/share/kept/kept-runs.ts';
import { OriginFolder } from '${root}web/share/kept/origin-folder.ts';
import { zipOf } from '${root}web/share/kept/zip.ts';
import { checkpointAt } from '${root}test/runs/fixtures.ts';
import { configOf, pictures, trainKept } from '${root}test/support/kept-run.ts';

const all = { keepCheckpoints: 100, keepEvery: 0 };
let runs, held;
const large = (step) => ({
  ...checkpointAt(step),
  model: new Map([['w', { dtype: 'F32', shape: [2e6], data: new Float32Array(2e6).fill(step) }]]),
});
const calls = {
  async start(name) {
    runs = await KeptRuns.open();
    const data = pictures();
    held = await runs.create(configOf(data, {}, name), data);
    return { path: held.run.path, name: held.run.config.name, lostBecause: runs.lostBecause };
  },
  async open(name) {
    runs = await KeptRuns.open();
    held = await runs.open(name);
    return held.run.path;
  },
  train: (until) => trainKept(held.run, until),
  async files() {
    return held.run.files();
  },
  async zip() {
    const bytes = new Uint8Array(await new Response(await zipOf(held)).arrayBuffer());
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  },
  async saveForever() {
    for (let step = 1; ; step++) {
      await held.run.save(large(step), { keepCheckpoints: 2, keepEvery: 0 });
      postMessage({ saved: step });
    }
  },
  async save(step) {
    return held.run.save(checkpointAt(step), all);
  },
  async tooLarge(step) {
    return held.run.save(large(step), all);
  },
  async latest() {
    const told = [];
    const saved = await held.run.latest(({ message }) => told.push(message));
    const { data } = await (await saved.open('model')).read([...(await saved.open('model')).slots.keys()][0]);
    return { step: saved.step, told, steps: await held.run.checkpoints(), first: data[0] };
  },
  async list() {
    runs ??= await KeptRuns.open();
    return runs.list();
  },
  async remove(name) {
    runs ??= await KeptRuns.open();
    await runs.remove(name);
  },
  room: () => runs.room(),
  async folder() {
    const folder = new OriginFolder('f', await (await navigator.storage.getDirectory()).getDirectoryHandle('f', { create: true }));
    const bytes = (...given) => Uint8Array.from(given);
    const told = [await folder.list(''), await folder.list('a/b'), await folder.size('a'), (await folder.read('a/b')) ?? null];
    await folder.write('a/b/c', [bytes(1, 2), bytes(3), bytes()]);
    await folder.append('a/b/c', bytes(4));
    await folder.append('a/d', bytes(5));
    await folder.write('e', [bytes(6, 7, 8)]);
    await folder.write('e', [bytes(9)]);
    told.push((await folder.list('')).sort(), await folder.list('a/b'), await folder.size('a/b/c'), (await folder.size('a')) ?? null);
    told.push([...(await folder.read('a/b/c'))], [...(await folder.read('a/b/c', { start: 1, end: 3 }))], [...(await folder.read('e'))]);
    await folder.remove('a/b');
    await folder.remove('nothing/there');
    told.push((await folder.read('a/b/c')) ?? null, [...(await folder.read('a/d'))]);
    await folder.remove('');
    told.push(await folder.list(''));
    return told;
  },
};
onmessage = async ({ data: [id, name, ...given] }) => {
  try { postMessage({ id, value: await calls[name](...given) }); }
  catch (error) { postMessage({ id, error: error.message, stack: error.stack }); }
};`;
