/** `1,234` */
export function grouped(count: number): string {
  return count.toLocaleString('en');
}

/**
 * `1 sample`, `2 samples`, `1,000 classes`, `0 copies`
 * @param one what is counted, as it is called when there is one
 */
export function counted(count: number, one: string): string {
  return `${grouped(count)} ${count === 1 ? one : plural(one)}`;
}

function plural(one: string): string {
  if (/(s|sh|ch|x)$/.test(one)) return `${one}es`;
  return /[^aeiou]y$/.test(one) ? `${one.slice(0, -1)}ies` : `${one}s`;
}
