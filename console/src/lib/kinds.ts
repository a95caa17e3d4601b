import type { IconName } from '../components/Icon';

/** How the platform's package types are shown. */
const KINDS: Record<string, { text: string; icon: IconName }> = {
  Collection: { text: 'Folder', icon: 'folder' },
  Image: { text: 'Image', icon: 'image' },
  Slide: { text: 'Slide', icon: 'image' },
  MRI: { text: 'MRI', icon: 'image' },
  Tabular: { text: 'Table', icon: 'table' },
  CSV: { text: 'CSV', icon: 'table' },
  TimeSeries: { text: 'Time series', icon: 'wave' },
  Video: { text: 'Video', icon: 'video' },
  Audio: { text: 'Audio', icon: 'audio' },
  Text: { text: 'Text', icon: 'text' },
  PDF: { text: 'PDF', icon: 'text' },
  MSWord: { text: 'Word', icon: 'text' },
  HDF5: { text: 'HDF5', icon: 'array' },
  ZIP: { text: 'Archive', icon: 'archive' },
  Unsupported: { text: 'File', icon: 'file' },
  Unknown: { text: 'File', icon: 'file' },
};

const BY_EXTENSION: [RegExp, IconName][] = [
  [/\.(png|jpe?g|gif|webp|avif|bmp|tiff?|svg|dcm|nii(\.gz)?)$/i, 'image'],
  [/\.(zarr|h5|hdf5?|nwb|mat)$/i, 'array'],
  [/\.(csv|tsv|parquet|xlsx?|arrow|feather)$/i, 'table'],
  [/\.(mp4|webm|mov|mkv|avi)$/i, 'video'],
  [/\.(wav|mp3|flac|ogg|m4a)$/i, 'audio'],
  [/\.(edf|mef|nev|ns\d|abf)$/i, 'wave'],
  [/\.(md|txt|json|xml|ya?ml|log|html?|pdf|docx?|py|r|m|ipynb)$/i, 'text'],
  [/\.(zip|gz|tgz|tar|bz2|xz|7z)$/i, 'archive'],
];

export function isFolder(item: { kind: string }): boolean {
  return item.kind === 'Collection';
}

export function kindText(kind: string): string {
  return KINDS[kind]?.text ?? kind;
}

/** By the platform's type; by the name if the platform does not know. */
export function kindIcon(item: { kind: string; name: string }): IconName {
  const known = KINDS[item.kind]?.icon ?? 'file';
  if (known !== 'file') return known;
  return BY_EXTENSION.find(([pattern]) => pattern.test(item.name))?.[1] ?? 'file';
}

export type Tone = 'plain' | 'accent' | 'ok' | 'warn' | 'danger';

const STATES: Record<string, { text: string; tone: Tone }> = {
  READY: { text: 'Ready', tone: 'plain' },
  UPLOADED: { text: 'Uploaded', tone: 'plain' },
  UNAVAILABLE: { text: 'Uploading', tone: 'warn' },
  PROCESSING: { text: 'Processing', tone: 'accent' },
  RUNNING: { text: 'Processing', tone: 'accent' },
  RESTORING: { text: 'Restoring', tone: 'accent' },
  ARCHIVED: { text: 'Archived', tone: 'warn' },
  DELETING: { text: 'Being deleted', tone: 'warn' },
  DELETED: { text: 'In the trash', tone: 'warn' },
  ERROR: { text: 'Failed', tone: 'danger' },
  UPLOAD_FAILED: { text: 'Upload failed', tone: 'danger' },
  PROCESSING_FAILED: { text: 'Processing failed', tone: 'danger' },
  INFECTED: { text: 'Unsafe', tone: 'danger' },
};

/** A package's state in words. An unknown one is shown as the platform spells it. */
export function stateOf(state: string): { text: string; tone: Tone } {
  return STATES[state] ?? { text: state, tone: 'warn' };
}
