import { useEffect, useRef, useState } from 'preact/hooks';
import { FormatError } from '../../file/error';
import type { FileLink } from '../../file/link';
import type { FileSource } from '../../file/source';
import { serversOf, type RequestEntry } from '../../file/traffic';

/** The player's link. If the player fails, a new one is tried, at the same place. */
export function useMediaLink(source: FileSource) {
  const player = useRef<HTMLVideoElement & HTMLAudioElement>(null);
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
      void findReason(source).then(setFailure);
      return;
    }
    renewed.current = true;
    goOnAt.current = { time: media.currentTime, playing: !media.paused };
    source.keeper.replace(link).then((made) => {
      setLink(made);
      // Within five minutes the new link is the same text, for which a player does not try again by itself.
      if (made.url === link.url) media.load();
    }, setFailure);
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
    setLink(null);
    setAttempt((before) => before + 1);
  };
  return { link, failure, player, onError, onPlaying, retry };
}

/** A player does not tell what a server said: a byte of the file does. If it comes, it is the file that cannot be played. */
async function findReason(source: FileSource): Promise<unknown> {
  try {
    await source.read({ range: { start: 0, end: 1 }, what: 'why the player failed' });
    return new FormatError('The browser cannot play this file.');
  } catch (error) {
    return error;
  }
}
