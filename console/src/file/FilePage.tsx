import { EmptyState } from '../components/States';
import type { ViewedFile } from '../viewers/types';

/** Chooses the viewer of a file, and shows the link beside it. */
export function FilePage({ file }: { file: ViewedFile }) {
  return <EmptyState icon="file" title={file.name} />;
}
