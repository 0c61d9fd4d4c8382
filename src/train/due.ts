/** Whether something that is done every so many steps is done after this one; 0 means never. */
export function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}
