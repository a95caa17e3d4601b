import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { wasAborted } from '../api/client';
import { Button } from '../components/Button';
import { EmptyState } from '../components/States';
import type { FileSource } from '../file/source';
import { formatBytes } from '../lib/format';
import { useLoad } from '../lib/useLoad';
import { ReadFailure } from './ReadFailure';
import './WholeFile.css';

interface WholeFileProps<T> {
  source: FileSource;
  /** In bytes, if known. */
  size: number | null;
  /** Larger files are read when somebody asks for it. */
  free: number;
  name: string;
  /** Makes of the bytes what is shown. It throws a FormatError if they are not that. */
  parse: (bytes: Uint8Array<ArrayBuffer>) => T | Promise<T>;
  children: (content: T) => ComponentChildren;
}

/** A file that can only be shown whole: read with its progress, after a question if it is large. */
export function WholeFile<T>(props: WholeFileProps<T>) {
  const [wanted, setWanted] = useState(props.size !== null && props.size <= props.free);
  if (wanted) return <Reading {...props} />;
  const size = props.size === null ? '' : `: ${formatBytes(props.size)}`;
  return (
    <EmptyState
      icon="file"
      title="This file is read whole to be shown"
      action={
        <Button look="primary" icon="download" onClick={() => setWanted(true)}>
          Read it{size}
        </Button>
      }
    >
      Parts of it cannot be shown alone. It is kept in this tab only.
    </EmptyState>
  );
}

function Reading<T>({ source, size, name, parse, children }: WholeFileProps<T>) {
  const [received, setReceived] = useState(0);
  const { data, error, reload } = useLoad(`whole ${name}`, async (signal) => {
    const { bytes } = await source.read({ signal, onProgress: setReceived });
    return { content: await parse(bytes) };
  });
  if (error && !wasAborted(error)) return <ReadFailure error={error} retry={reload} />;
  if (data) return <>{children(data.content)}</>;
  return (
    <div class="whole-progress">
      <label>
        Reading {formatBytes(received)}
        {size !== null && ` of ${formatBytes(size)}`}
        <progress {...(size ? { value: received, max: size } : {})} />
      </label>
    </div>
  );
}
