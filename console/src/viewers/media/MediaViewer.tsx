import { useState } from 'preact/hooks';
import { Skeleton } from '../../components/States';
import { coveredBytes, type ByteRange } from '../../file/traffic';
import { formatBytes } from '../../lib/format';
import { ReadFailure } from '../ReadFailure';
import type { ViewerProps } from '../types';
import { addBuffered } from './buffered';
import { useMediaLink } from './useMediaLink';
import './MediaViewer.css';

/** Video and sound in the browser's own player, which reads ranges of the link by itself. */
export default function MediaViewer({ source, view }: ViewerProps) {
  const { link, failure, player, onError, onPlaying, retry } = useMediaLink(source);
  const [read, setRead] = useState<ByteRange[]>([]);
  if (failure) return <ReadFailure error={failure} retry={retry} />;
  if (!link) return <Skeleton lines={4} label="Asking for a link" />;
  const onProgress = (event: { currentTarget: HTMLMediaElement }) =>
    setRead((before) => addBuffered(before, event.currentTarget, view.size));
  const attributes = {
    ref: player,
    src: link.url,
    controls: true,
    preload: 'metadata' as const,
    'aria-label': view.name,
    onError,
    onLoadedMetadata: onPlaying,
    onProgress,
    onSeeked: onProgress,
  };
  return (
    <div class={`media media-${view.viewer}`}>
      {view.viewer === 'audio' ? <audio {...attributes} /> : <video {...attributes} playsInline />}
      <p class="muted">
        The browser’s player reads by ranges what it needs
        {view.size !== null && read.length > 0 && `: about ${shareText(read, view.size)} so far`}. It tells no
        exact number.
      </p>
    </div>
  );
}

function shareText(read: ByteRange[], size: number): string {
  return `${formatBytes(Math.min(coveredBytes(read), size))} of ${formatBytes(size)}`;
}
