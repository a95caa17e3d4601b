import type { AssetEntry, ViewedFile } from '../viewers/types';
import type { LinkRoute } from './link';

export type ViewerKind =
  'image' | 'parquet' | 'csv' | 'zarr' | 'video' | 'audio' | 'text' | 'json' | 'markdown' | 'hdf5' | 'none';

/** A way to what is shown. */
export interface ViewRoute {
  route: LinkRoute;
  /** The viewer asset that it opens; null: the package's source file. */
  path: string | null;
}

/** What a page of a file can show: its source file, or one of its viewer assets. */
export interface FileView {
  /** For the choice between several: a file name. */
  name: string;
  viewer: ViewerKind;
  /** The preferred one first. */
  routes: ViewRoute[];
  /** In bytes, if known. */
  size: number | null;
}

const EXTENSIONS: Record<Exclude<ViewerKind, 'zarr' | 'none'>, string> = {
  image: 'png jpg jpeg webp gif avif bmp svg',
  parquet: 'parquet',
  csv: 'csv tsv tab',
  video: 'mp4 m4v webm mov ogv',
  audio: 'mp3 wav ogg oga flac m4a aac opus',
  text: 'txt text log xml yml yaml toml ini cfg conf html htm css js ts py r m sh sql tex bib fasta fa fastq vcf bed gff bval bvec rst swc obj',
  json: 'json geojson ipynb',
  markdown: 'md markdown',
  hdf5: 'h5 hdf5 he5 nwb mat nc',
};

const BY_EXTENSION = new Map(
  Object.entries(EXTENSIONS).flatMap(([viewer, extensions]) =>
    extensions.split(' ').map((extension) => [extension, viewer as ViewerKind] as const),
  ),
);

export function viewerOf(name: string): ViewerKind {
  if (/\.zarr\/$/i.test(name)) return 'zarr';
  const extension = /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase();
  return (extension ? BY_EXTENSION.get(extension) : undefined) ?? 'none';
}

// The service links media types that may run script as a download only: these are read as bytes and shown here.
const INLINE = new Set<ViewerKind>(['video', 'audio']);

/** Whether the link itself names the media type, because the browser's own player reads it. */
export function wantsInline(viewer: ViewerKind): boolean {
  return INLINE.has(viewer);
}

/**
 * All views of a file, the best first: a pyramid, then the source file if a viewer knows it, then other assets. An asset that has
 * the source file's name is another way to the same thing, and the CDN's: it takes the fewest requests.
 */
export function viewsOf(file: ViewedFile): FileView[] {
  const assets = file.assets.map((asset) => viewOfAsset(asset));
  const twin = assets.find(({ name }) => name === file.name);
  const source: FileView = {
    name: file.name,
    viewer: viewerOf(file.name),
    routes: [
      ...(twin?.routes.filter(({ route }) => route === 'cdn') ?? []),
      { route: 's3', path: null },
      { route: 'proxy', path: null },
    ],
    size: twin?.size ?? file.size,
  };
  const others = assets.filter((view) => view !== twin && view.viewer !== 'none');
  const pyramids = others.filter(({ viewer }) => viewer === 'zarr');
  const rest = others.filter(({ viewer }) => viewer !== 'zarr');
  if (file.files === 0 && !twin && others.length > 0) return [...pyramids, ...rest];
  return source.viewer === 'none' ? [...pyramids, ...rest, source] : [...pyramids, source, ...rest];
}

function viewOfAsset({ path, size }: AssetEntry): FileView {
  const viewer = viewerOf(path);
  const routes: ViewRoute[] = [{ route: 'cdn', path }];
  // Chunks are thousands: S3 would take a link for each.
  if (viewer !== 'zarr') routes.push({ route: 's3', path }, { route: 'proxy', path });
  return { name: path.replace(/\/$/, ''), viewer, routes, size };
}
