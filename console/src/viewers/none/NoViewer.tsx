import { EmptyState } from '../../components/States';
import type { ViewerProps } from '../types';

/** A file that no viewer knows: what it is, and how to get it. */
export default function NoViewer({ view }: ViewerProps) {
  const extension = /\.([^.]{1,12})$/.exec(view.name)?.[1];
  return (
    <EmptyState
      icon="file"
      title={extension ? `There is no viewer for .${extension} files` : 'There is no viewer for this file'}
    >
      Download it under its own name, or open it in place: “Copy as” has the lines for Python, R and the
      shell.
    </EmptyState>
  );
}
