import { counted } from '../../tensor/counted.ts';
import { internalError } from '../../tensor/errors.ts';
import {
  type ImageTransformerConfig,
  type Resolved,
  imageSettings,
  positionSettings,
  toldSettings,
  timeSettings,
} from '../dit-config.ts';
import { TextDiT } from '../text-dit.ts';
import {
  describeImages,
  describePatches,
  describeToldSizes,
  describeTransformer,
  imageFromData,
} from './dit.ts';
import type { Kind } from './kind.ts';
import type { SettingsOf } from './setting.ts';

/** Images with captions. */
export interface TextModel extends Resolved<ImageTransformerConfig> {
  readonly kind: 'text-dit';
  readonly text: TextSettings;
}

/**
 * How captions become what the model sees: tokens, and a small transformer that is trained with it; or embeddings of a text
 * encoder that is not, in which case the other settings mean nothing but length.
 */
export interface TextSettings {
  /** A file made by `rectiflow data encode-text`. */
  readonly embeddings?: string;
  /** byte-pairs: learnt from the captions when a run begins; bytes; or the path of a tokenizer.json (CLIP's, say). */
  readonly tokenizer: string;
  /** Of byte-pairs: tokens that there are. */
  readonly vocabulary: number;
  /** Tokens of a caption; what is longer is cut. */
  readonly length: number;
  /** Of the text encoder. */
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

/** A small encoder: captions are short, and every image of a batch has one. */
export const textSettings: SettingsOf<TextSettings> = {
  embeddings: {
    type: 'text',
    wanted: 'the path of a file made by: rectiflow data encode-text',
    says: 'a file of embeddings, in place of tokens',
  },
  tokenizer: {
    type: 'text',
    wanted: 'byte-pairs, bytes, or the path of a tokenizer.json',
    default: 'byte-pairs',
    says: 'byte-pairs are learnt from the captions',
  },
  vocabulary: { type: 'whole', from: 514, default: 2048, says: 'tokens that there are, of byte-pairs' },
  length: { type: 'whole', from: 1, default: 32, says: 'tokens of a caption; what is longer is cut' },
  width: { type: 'whole', from: 1, default: 128, says: 'features of a token in the text encoder' },
  depth: { type: 'whole', from: 1, default: 2, says: 'blocks of the text encoder' },
  heads: { type: 'whole', from: 1, default: 4, says: 'attention heads of its blocks' },
};

export const textDiT: Kind<TextModel> = {
  settings: {
    ...imageSettings,
    text: { type: 'settings', settings: textSettings, says: 'how captions are read' },
    ...timeSettings,
    ...positionSettings,
    ...toldSettings,
  },
  fits: ({ shape, captions = false }) => shape.length !== 1 && captions,
  fromData: imageFromData,
  create(config, { text }) {
    if (text === undefined) throw internalError('a model of captions is made without what they are for it');
    return new TextDiT({ ...config, text });
  },
  describe: (config) => ({
    samples: `${describeImages(config)}, captions of ${counted(config.text.length, 'token')}${describeToldSizes(config)}`,
    network: describeTransformer(config, describePatches(config)),
  }),
};
