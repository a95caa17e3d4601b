import { useState } from 'preact/hooks';
import { wasAborted } from '../../api/client';
import { Button } from '../../components/Button';
import { EmptyState, Skeleton } from '../../components/States';
import { useLoad } from '../../lib/useLoad';
import { ReadFailure } from '../ReadFailure';
import type { ViewerProps } from '../types';
import { dumpBytes } from './dump';
import './NoViewer.css';

const LOOKED_AT = 1024;

/** A file that no viewer knows: how to get it, and its first bytes. */
export default function NoViewer(props: ViewerProps) {
  const [looking, setLooking] = useState(false);
  const extension = /\.([^.]{1,12})$/.exec(props.view.name)?.[1];
  if (looking) return <FirstBytes {...props} />;
  return (
    <EmptyState
      icon="file"
      title={extension ? `There is no viewer for .${extension} files` : 'There is no viewer for this file'}
      action={<Button onClick={() => setLooking(true)}>Look at its first bytes</Button>}
    >
      Download it under its own name, or open it in place: “Copy as” has the lines for Python, R and the
      shell.
    </EmptyState>
  );
}

function FirstBytes({ source, view }: ViewerProps) {
  const { data, error, reload } = useLoad(`bytes ${view.name}`, (signal) =>
    source.read({ range: { start: 0, end: LOOKED_AT }, signal }),
  );
  if (error && !wasAborted(error)) return <ReadFailure error={error} retry={reload} />;
  if (!data) return <Skeleton lines={8} label="Reading the first bytes" />;
  return (
    <>
      <div class="viewer-head">
        <span>The first {data.bytes.length} bytes</span>
      </div>
      <pre class="byte-dump" tabIndex={0} aria-label={`The first bytes of ${view.name}`}>
        {dumpBytes(data.bytes)}
      </pre>
    </>
  );
}
