/** The contract between the page of a file and its viewers. */

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
  state: string;
  /** The top level of the package's viewer assets; empty if there are none, or if they cannot be listed. */
  assets: AssetEntry[];
}
