import { fileError } from '../../tensor/errors.ts';

/**
 * The records of a pax header: `<length> <key>=<value>\n`, the length in bytes and with itself.
 * @throws RectiflowError naming `origin`
 */
export function parsePax(content: Uint8Array, origin: string): Record<string, string> {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const records: [string, string][] = [];
  for (let start = 0; start < bytes.length;) {
    const space = bytes.indexOf(0x20, start);
    const digits = bytes.toString('latin1', start, space === -1 ? start : Math.min(space, start + 20));
    const end = start + Number(digits);
    const record = bytes.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (
      !/^\d+$/.test(digits) ||
      end <= space ||
      end > bytes.length ||
      bytes[end - 1] !== 0x0a ||
      equals < 1
    ) {
      throw fileError(origin, 'has a pax header that cannot be read', 'Make the file again');
    }
    records.push([record.slice(0, equals), record.slice(equals + 1)]);
    start = end;
  }
  return Object.fromEntries(records);
}

/** A record's length counts its own digits. */
export function paxRecord(key: string, value: string): Uint8Array {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (bytes + String(length).length !== length) length = bytes + String(length).length;
  return Buffer.from(`${length}${rest}`);
}
