/** A format of images that is not read. */
export interface UnreadFormat {
  readonly name: string;
  /** Endings of its files, in lower case. */
  readonly endings: readonly string[];
  /** How its files begin: a character for each byte, `?` for any. */
  readonly starts?: readonly string[];
  /** How its images become such as are read, as a sentence without its full stop. FILE stands for the file. */
  readonly advice: string;
}

const CONVERT = 'Convert it to PNG, with ImageMagick say: magick FILE out.png';

/** How files of boxes begin, by their brands. */
export function ftyp(...brands: readonly string[]): string[] {
  return brands.map((brand) => `????ftyp${brand}`);
}

/** Formats of images that people have and that are not read: they are named, with the way to convert them. */
export const UNREAD_FORMATS: readonly UnreadFormat[] = [
  {
    name: 'HEIC',
    endings: ['heic', 'heif', 'hif', 'heics', 'heifs'],
    starts: ftyp('heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs'),
    advice: 'Convert it to PNG or JPEG: heif-convert FILE out.png',
  },
  {
    name: 'JPEG XL',
    endings: ['jxl'],
    starts: ['\xff\n', '\0\0\0\fJXL \r\n\x87\n'],
    advice: 'Convert it to PNG: djxl FILE out.png',
  },
  {
    name: 'JPEG 2000',
    endings: ['jp2', 'j2k', 'j2c', 'jpc', 'jpf', 'jpx'],
    starts: ['\0\0\0\fjP  \r\n\x87\n', '\xff\x4f\xff\x51'],
    advice: CONVERT,
  },
  {
    name: 'SVG (or other XML), a drawing without pixels',
    endings: ['svg', 'svgz'],
    starts: ['<svg', '<?xml', '<!DOCTYPE svg', '\xef\xbb\xbf<'],
    advice: 'Draw it at the size you need: rsvg-convert --width 512 FILE --output out.png',
  },
  {
    name: 'Photoshop',
    endings: ['psd', 'psb'],
    starts: ['8BPS'],
    advice: 'Convert it to PNG: magick "FILE[0]" out.png',
  },
  {
    name: 'the raw format of a camera',
    endings: [
      ...'3fr arw cr2 cr3 crw dng erf iiq kdc mrw nef nrw'.split(' '),
      ...'orf pef raf raw rw2 rwl sr2 srf srw x3f'.split(' '),
    ],
    starts: [
      'II*\0????CR',
      'FUJIFILMCCD-RAW',
      'IIRO',
      'IIRS',
      'MMOR',
      'IIU\0',
      'FOVb',
      '\0MRM',
      ...ftyp('crx '),
    ],
    advice: 'Develop it into TIFF: dcraw -T FILE',
  },
  {
    name: 'a web page',
    endings: ['html', 'htm'],
    starts: ['<!DOCTYPE html', '<!doctype html', '<html', '<HTML'],
    advice: 'Fetch the image again: the server sent a page in its place',
  },
  { name: 'JPEG XR', endings: ['jxr', 'wdp', 'hdp'], starts: ['II\xbc'], advice: CONVERT },
  {
    name: 'Netpbm',
    endings: ['pbm', 'pgm', 'ppm', 'pnm', 'pam', 'pfm'],
    starts: Array.from('1234567Ff').flatMap((kind) => [`P${kind}\n`, `P${kind} `, `P${kind}\r`]),
    advice: CONVERT,
  },
  {
    name: 'a Windows icon',
    endings: ['ico', 'cur'],
    starts: ['\0\0\x01\0', '\0\0\x02\0'],
    advice: CONVERT,
  },
  { name: 'Targa', endings: ['tga', 'targa'], advice: CONVERT },
  { name: 'OpenEXR', endings: ['exr'], starts: ['\x76\x2f\x31\x01'], advice: CONVERT },
  { name: 'Radiance HDR', endings: ['hdr', 'rgbe'], starts: ['#?RADIANCE', '#?RGBE'], advice: CONVERT },
  { name: 'a DirectDraw surface', endings: ['dds'], starts: ['DDS '], advice: CONVERT },
  { name: 'QOI', endings: ['qoi'], starts: ['qoif'], advice: CONVERT },
  { name: 'GIMP', endings: ['xcf'], starts: ['gimp xcf'], advice: CONVERT },
  {
    name: 'PCX',
    endings: ['pcx'],
    starts: ['\n\x02\x01', '\n\x03\x01', '\n\x05\x01'],
    advice: CONVERT,
  },
  { name: 'FITS', endings: ['fits', 'fit', 'fts'], starts: ['SIMPLE  ='], advice: CONVERT },
  {
    name: 'DICOM',
    endings: ['dcm', 'dicom'],
    starts: [`${'?'.repeat(128)}DICM`],
    advice: 'Convert it to PNG: dcmj2pnm FILE out.png',
  },
  {
    name: 'PDF or PostScript',
    endings: ['pdf', 'eps', 'ps', 'ai'],
    starts: ['%PDF', '%!PS'],
    advice: 'Draw its pages: pdftoppm -png FILE out',
  },
  {
    name: 'a film',
    endings: ['mp4', 'm4v', 'mov', 'mkv', 'webm', 'avi'],
    starts: [
      ...ftyp('isom', 'iso2', 'iso4', 'iso5', 'iso6', 'mp41', 'mp42', 'M4V ', 'qt  ', 'avc1'),
      '\x1aE\xdf\xa3',
      'RIFF????AVI ',
    ],
    advice: 'Take pictures out of it: ffmpeg -i FILE out-%04d.png',
  },
];

/** The format of a file that is not read, by the ending of its name; undefined where it is none that is known. */
export function unreadFormatOf(ending: string): UnreadFormat | undefined {
  return UNREAD_FORMATS.find(({ endings }) => endings.includes(ending.toLowerCase()));
}
