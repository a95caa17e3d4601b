import { useEffect, useRef, useState } from 'preact/hooks';
import { Skeleton } from '../../components/States';
import { FileError, FormatError } from '../../file/error';
import type { FileLink } from '../../file/link';
import { serversOf, type RequestEntry } from '../../file/traffic';
import { ReadFailure } from '../ReadFailure';
import type { ViewerProps } from '../types';
import './MediaViewer.css';

/** Video and sound in the browser's own player, which reads ranges of the link by itself. */
export default function MediaViewer({ source, view }: ViewerProps) {
  const player = useRef<HTMLVideoElement & HTMLAudioElement>(null);
  const { link, failure, onError, onPlaying, retry } = useMediaLink(source, player);
  if (failure) return <ReadFailure error={failure} retry={retry} />;
  if (!link) return <Skeleton lines={4} label="Asking for a link" />;
  const attributes = {
    ref: player,
    src: link.url,
    controls: true,
    preload: 'metadata' as const,
    'aria-label': view.name,
    onError,
    onLoadedMetadata: onPlaying,
  };
  return (
    <div class={`media media-${view.viewer}`}>
      {view.viewer === 'audio' ? <audio {...attributes} /> : <video {...attributes} playsInline />}
      <p class="muted">
        The browser’s player reads what it needs by ranges. It does not tell how much that is.
      </p>
    </div>
  );
}

/** The player's link. If the player fails, a new one is tried, at the same place. */
function useMediaLink(source: ViewerProps['source'], player: { current: HTMLMediaElement | null }) {
  const [link, setLink] = useState<FileLink | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const renewed = useRef(false);
  const goOnAt = useRef<{ time: number; playing: boolean } | null>(null);
  const entry = useRef<RequestEntry | null>(null);
  useEffect(() => {
    let left = false;
    setFailure(null);
    source.keeper.current().then(
      (made) => {
        if (left) return;
        entry.current = source.traffic.start('the player reads by itself', serversOf(made.route));
        setLink(made);
      },
      (error: unknown) => !left && setFailure(error),
    );
    return () => {
      left = true;
    };
  }, [source, attempt]);
  const onError = () => {
    const media = player.current;
    if (!media || !link) return;
    if (entry.current) source.traffic.end(entry.current, 0);
    if (renewed.current) {
      const unknown = media.error?.code === MediaError.MEDIA_ERR_DECODE;
      setFailure(
        unknown ? new FormatError('The browser cannot play this file.') : new FileError('refused', 0),
      );
      return;
    }
    renewed.current = true;
    goOnAt.current = { time: media.currentTime, playing: !media.paused };
    source.keeper.replace(link).then(setLink, setFailure);
  };
  const onPlaying = () => {
    if (entry.current) source.traffic.end(entry.current, 200);
    const place = goOnAt.current;
    if (!place || !player.current) return;
    player.current.currentTime = place.time;
    if (place.playing) void player.current.play();
    goOnAt.current = null;
    renewed.current = false;
  };
  const retry = () => {
    renewed.current = false;
    setAttempt((before) => before + 1);
  };
  return { link, failure, onError, onPlaying, retry };
}
