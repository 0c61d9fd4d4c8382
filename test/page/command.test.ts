// rectiflow watch, as it is typed, and what docs/page.md says of it.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchRuns } from '../../src/page/watch.ts';
import { rectiflow, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { docsCommands, docsSection } from '../support/docs.ts';
import { logLine, rawRequest, startPage, writeRun } from '../support/page.ts';

describe('rectiflow watch', () => {
  it('prints a link that works, and ends with Ctrl-C', async () => {
    const folder = await temporaryFolder();
    await writeRun(join(folder, 'runs'), 'one', { log: [logLine(1)] });
    const running = startRectiflow(folder, ['watch', '--no-open']);
    let printed = '';
    running.process.stdout!.on('data', (text: string) => (printed += text));
    await running.saw(/#token=\S+\n/);
    const [, link] = /(http:\/\/127\.0\.0\.1:\d+\/#token=\S+)/.exec(printed)!;
    const { origin, hash } = new URL(link!);
    const headers = { authorization: `Bearer ${hash.slice('#token='.length)}` };
    const answer = await fetch(`${origin}/api/runs`, { headers });
    expect(await answer.json()).toMatchObject({ folder: 'runs', runs: [{ name: 'one', step: 1 }] });
    running.process.kill('SIGINT');
    expect(await running.finished).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    [['watch', '--port', '70000'], /'70000' is invalid\. It must be a whole number from 0 to 65535/],
    [['watch', '--port', '80x'], /It must be a whole number/],
    [
      ['watch', '--host', '203.0.113.7', '--no-open'],
      /^error: watch: 203\.0\.113\.7 port 0: this machine has no such address\./,
    ],
  ])('%j is an error that says what to do', async (args, message) => {
    const { code, stderr } = await rectiflow(await temporaryFolder(), args);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
  });

  it('says where a port is taken', async () => {
    const { origin } = await startPage({ runs: await temporaryFolder() });
    const port = Number(new URL(origin).port);
    await expect(watchRuns({ port })).rejects.toThrow(
      `watch: 127.0.0.1 port ${port} is in use by another program.`,
    );
  });

  it('says what a host means that others reach, and is asked by the names of this machine', async () => {
    const notices: string[] = [];
    const runs = await temporaryFolder();
    const { server, token, origin } = await startPage({
      runs,
      host: '0.0.0.0',
      onNotice: (text) => notices.push(text),
    });
    expect(notices).toEqual([
      expect.stringMatching(/^0\.0\.0\.0 is reached by other machines too\. .* ssh -L\.$/),
    ]);
    expect(server.url).not.toContain('0.0.0.0');
    const { port, host } = new URL(origin);
    const headers = { authorization: `Bearer ${token}` };
    for (const [name, status] of [
      [host, 200],
      [`localhost:${port}`, 200],
      [`0.0.0.0:${port}`, 403],
      [`evil.example:${port}`, 403],
    ] as const)
      expect(
        (await rawRequest(`http://127.0.0.1:${port}`, '/api/runs', { ...headers, host: name })).status,
      ).toBe(status);
  });
});

describe('docs/page.md', () => {
  it('has commands that there are', async () => {
    const text = await docsSection('page.md', '## A machine that you reach by ssh');
    const folder = await temporaryFolder();
    for (const args of docsCommands(text)) {
      const { code, stdout } = await rectiflow(folder, [...args.slice(0, 1), '--help']);
      expect(code).toBe(0);
      for (const option of args.filter((arg) => arg.startsWith('--') && arg !== '--no-open'))
        expect(stdout).toContain(option);
    }
  });
});
