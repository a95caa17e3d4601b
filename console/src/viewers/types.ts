/** The contract between the page of a file and its viewers. */

import type { FileSource } from '../file/source';
import type { FileView } from '../file/views';

export interface AssetEntry {
  /** Relative to the package; ends in a slash for a directory. */
  path: string;
  size: number | null;
  directory: boolean;
}

export interface ViewedFile {
  datasetId: string;
  packageId: string;
  name: string;
  /** The platform's package type. */
  kind: string;
  size: number | null;
  /** How many source files it has; null if that is unknown. */
  files: number | null;
  state: string;
  /** The top level of the package's viewer assets; empty if there are none, or if they cannot be listed. */
  assets: AssetEntry[];
}

/** What each viewer is given. It is made anew for another view and another link. */
export interface ViewerProps {
  file: ViewedFile;
  view: FileView;
  source: FileSource;
}
