import { describe, expect, it } from 'vitest';
import { dataError, fileError, limitAdvice, systemProblem } from '../../src/tensor/errors.ts';

function systemError(code: string, message = `${code}: what it is called, open 'pets/a.png'`): Error {
  return Object.assign(new Error(message), { code });
}

describe('messages', () => {
  it.each([
    ['pets', 'pets/a.png is empty', 'pets/a.png is empty. Remove it.'],
    ['pq/x', 'pq/x: row 3 has no bytes', 'pq/x: row 3 has no bytes. Remove it.'],
    ['pets', 'pets are none', 'pets: pets are none. Remove it.'],
    ['pets', 'is empty.', 'pets: is empty. Remove it.'],
  ])('name a place once: %s, %s', (where, problem, wanted) => {
    expect(fileError(where, problem, 'Remove it').message).toBe(wanted);
    expect(dataError(where, problem, 'Remove it.').message).toBe(wanted);
  });

  it('advise what helps where the system is at a limit', () => {
    const cause = systemError('EMFILE');
    const read = fileError('a.png', systemProblem(cause), 'Put it back', cause);
    expect(read.message).toBe(
      'a.png: this process may open no more files. Raise the limit, as with: ulimit -n 1024.',
    );
    expect(limitAdvice(dataError('pets', 'cannot be read', 'Look', read))).toContain('ulimit -n 1024');
    expect(limitAdvice(fileError('a.png', 'is empty', 'Look', systemError('ENOENT')))).toBeUndefined();
  });

  it('have what the system says, without its code and the path that is told beside it', () => {
    expect(systemProblem(systemError('EWHAT'))).toBe('what it is called');
    expect(systemProblem(systemError('EWHAT', 'EWHAT: what it is called, read'))).toBe('what it is called');
    expect(systemProblem(new Error('something, else'))).toBe('something, else');
  });
});
