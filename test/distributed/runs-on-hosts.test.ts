// Whole runs on several machines, which are network namespaces here: the same bits, and what becomes of a run where one is cut off.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { hostName, network } from '../../bench/host-names.ts';
import { whyNoHosts } from '../../bench/hosts-command.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { ranksLostExitCode } from '../../src/distributed/exit-code.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { type Installed, bundle, installed, startJob } from '../support/mpi.ts';
import { type RankRun, madeBy, main, reached, watched } from '../support/rank-runs.ts';

const steps = 100;
const logEvery = 2;
const config: ConfigInput = {
  name: 'run',
  data: { source: 'digits', split: 'test' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 14 },
  train: { steps, batchSize: 8, shards: 4, logEvery, sampleEvery: 0, checkpointEvery: 10 },
  sample: { steps: 2, perClass: 1, labels: [0, 1] },
  backend: { threads: 1 },
};

const missing =
  whyNoHosts() ?? (spawnSync('nsenter', ['--version']).status === 0 ? undefined : 'nsenter is not here');
const why = missing === undefined ? '' : ` (skipped: ${missing})`;

let folder: string;
let makeHosts: string;
let expected: Record<string, unknown>;
const settings: Record<string, string> = {
  OMPI_MCA_plm_rsh_no_tree_spawn: '1',
  OMPI_MCA_pml: 'ob1',
  OMPI_MCA_btl: 'self,vader,tcp',
  OMPI_MCA_btl_tcp_if_include: network.mask,
  OMPI_MCA_oob_tcp_if_include: network.mask,
  UCX_TLS: 'tcp,self',
  UCX_NET_DEVICES: 'eth0',
  HYDRA_IFACE: 'switch',
  RECTIFLOW_PATIENCE: '4',
};

beforeAll(async () => {
  if (missing !== undefined) return;
  folder = await temporaryFolder();
  makeHosts = await bundle('hosts', 'bench');
  const agent = join(folder, 'agent');
  // As ssh is called, with options before the name of the machine.
  const shift = 'while [ "${1#-}" != "$1" ]; do shift; done';
  const shell = `exec "${process.execPath}" "${await bundle('host-shell', 'bench')}" "$@"`;
  await writeFile(agent, `#!/bin/sh\n${shift}\n${shell}\n`, { mode: 0o755 });
  settings['OMPI_MCA_plm_rsh_agent'] = agent;
  settings['HYDRA_LAUNCHER_EXEC'] = agent;
  await writeFile(join(folder, 'run.json'), JSON.stringify(config));
  await rectiflow(folder, ['train', 'run.json', '--name', 'alone']);
  expected = await made('alone');
});

function made(name: string): Promise<Record<string, unknown>> {
  return madeBy(join(folder, 'runs', name), steps, logEvery);
}

/** Trains on three machines of their own. @param hosts as `--hosts` takes them */
function train({ kind }: Installed, ranks: number, hosts: string, name: string): RankRun {
  const own = [
    '--net',
    '--mount',
    '--propagation',
    'private',
    process.execPath,
    makeHosts,
    '3',
    '1000000000000',
  ];
  const command = [process.execPath, main, 'train', 'run.json', '--name', name];
  return watched(ranks, (env) =>
    startJob('unshare', [...own, ...command, '--ranks', String(ranks), '--hosts', hosts], {
      cwd: folder,
      limit: 40_000,
      env: { ...settings, RECTIFLOW_MPI: kind, ...env },
    }),
  );
}

for (const mpi of installed)
  describe.skipIf(mpi.skipped || missing)(`${mpi.kind} on machines of their own${why || mpi.skipped}`, () => {
    it.runIf(mpi.kind === 'openmpi').each([
      [2, `${hostName(1)},${hostName(2)}`],
      [4, `${hostName(1)}:2,${hostName(2)}:1,${hostName(3)}:1`],
    ])('%i ranks make the run of one process', async (ranks, hosts) => {
      const { code, stderr } = await train(mpi, ranks, hosts, `of-${ranks}`).ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(await made(`of-${ranks}`)).toEqual(expected);
    });

    it('one that is cut off is named, nothing is left on any of them, and the run goes on', async () => {
      const name = `${mpi.kind}-cut`;
      const run = join(folder, 'runs', name);
      const job = train(mpi, 2, `${hostName(1)},${hostName(2)}`, name);
      await reached(run, 24);
      execFileSync('nsenter', ['--target', String(job.pid), '--net', 'ip', 'link', 'set', 'port2', 'down']);
      const { code, stderr } = await job.ended;
      expect(code).toBe(ranksLostExitCode);
      expect(stderr.trim().split('\n')).toEqual([
        expect.stringMatching(
          /^(?:rectiflow: rank 1 on host2 has not been heard of for|error: host2, or the network)/,
        ),
      ]);
      expect(await job.left()).toEqual([]);
      await rectiflow(folder, ['resume', run]);
      expect(await made(name)).toEqual(expected);
    });
  });
