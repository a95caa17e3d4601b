/** Shapes of the API's responses: docs/openapi.yaml. */

export interface Page<T> {
  items: T[];
  /** The `cursor` of the next page; null on the last. */
  next: string | null;
}

export type Role = 'owner' | 'manager' | 'editor' | 'viewer' | 'guest';

export interface Dataset {
  id: string;
  name: string;
  role: string;
  workspace: number;
  status: string | null;
  bytes: number | null;
  updated_at: string | null;
}

export interface Workspace {
  id: number;
  name: string;
  active: boolean;
}

export interface DatasetPage extends Page<Dataset> {
  workspaces: Workspace[];
}

export interface PathPart {
  id: string;
  name: string;
}

export interface Child {
  id: string;
  name: string;
  /** The platform's package type; `Collection` for a folder. */
  kind: string;
  state: string;
  size: number | null;
  files: number | null;
  /** Counted up to 100; null for a file. */
  children: number | null;
  /** Whether there are more than `children`. */
  more_children: boolean;
  created_at: string | null;
  updated_at: string | null;
}

export interface ChildPage extends Page<Child> {
  path: PathPart[];
}

export interface PackageMetadata extends Child {
  path: PathPart[];
}

export interface Asset {
  /** Relative to the package; ends in a slash for a directory. */
  path: string;
  size: number | null;
  directory: boolean;
  updated_at?: string | null;
}

export interface TrashItem {
  id: string;
  name: string;
  kind: string;
  size: number | null;
  parent: string | null;
  path: string[];
  deleted_at: string | null;
  children: number | null;
  more_children: boolean;
  state: 'DELETED' | 'DELETING' | 'RESTORING';
  reason: string | null;
  restorable: boolean;
  recoverable?: boolean | null;
  recoverable_until?: string | null;
}

export interface OrderFailure {
  id: string;
  error: string;
}

export interface OrderResponse {
  success: string[];
  failures: OrderFailure[];
}

export interface PreviewedPackage {
  id: string;
  kind: string;
  name: string;
  new_name?: string | null;
  lost?: string | null;
}

export interface RestorePreview {
  packages: PreviewedPackage[];
  total: number;
  bytes: number;
  failures: OrderFailure[];
}

export interface RestoreProgress {
  id: string;
  state: string;
  order?: 'queued' | 'running' | 'waiting' | 'finished' | null;
  total: number;
  restored: number;
  restoring: number;
  failures: number;
  failed: { id: string; reason: string }[];
  bytes: number;
  since?: string | null;
  updated_at?: string | null;
}

export interface PresignedLink {
  presigned_url: string;
  /** In seconds since the Unix epoch. */
  expires_at: number;
  filename: string;
  size?: number | null;
  content_type?: string | null;
  proxy_url?: string | null;
}

export interface SignedLink {
  signed_url: string;
  /** In seconds since the Unix epoch. */
  expires_at: number;
}

export interface SignedDirectoryLink extends SignedLink {
  resource: string;
  query: string;
  cookies: Record<string, string>;
}

/** A user of the demo: `GET /console/users`. */
export interface DemoUser {
  /** The name in the path of its token. */
  name: string;
  email: string;
  node_id: string;
  /** In the demo's dataset; null for users of another workspace. */
  role: string | null;
  workspace: number;
}
