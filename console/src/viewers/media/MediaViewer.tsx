import { useRef } from 'preact/hooks';
import { Skeleton } from '../../components/States';
import type { ByteRange } from '../../file/traffic';
import { ReadFailure } from '../ReadFailure';
import type { ViewerProps } from '../types';
import { addBuffered } from './buffered';
import { useMediaLink } from './useMediaLink';
import './MediaViewer.css';

/** Video and sound in the browser's own player, which reads ranges of the link by itself. */
export default function MediaViewer({ source, view }: ViewerProps) {
  const { link, failure, player, onError, onPlaying, retry } = useMediaLink(source);
  const read = useRef<ByteRange[]>([]);
  if (failure) return <ReadFailure error={failure} retry={retry} />;
  if (!link) return <Skeleton lines={4} label="Asking for a link" />;
  const onProgress = (event: { currentTarget: HTMLMediaElement }) => {
    read.current = addBuffered(read.current, event.currentTarget, view.size);
    source.traffic.estimate(read.current);
  };
  const attributes = {
    ref: player,
    src: link.url,
    controls: true,
    preload: 'metadata' as const,
    'aria-label': view.name,
    onError,
    onLoadedMetadata: onPlaying,
    onProgress,
    onTimeUpdate: onProgress,
  };
  return (
    <div class={`media media-${view.viewer}`}>
      {view.viewer === 'audio' ? <audio {...attributes} /> : <video {...attributes} playsInline />}
    </div>
  );
}
