import { addRange, type ByteRange } from '../../file/traffic';

/** What a player tells about itself: HTMLMediaElement's. */
interface Player {
  duration: number;
  buffered: TimeRanges;
}

/**
 * What a player has read of a file, with what it forgot meanwhile: the times that it has, as shares of the file. About, because a second
 * does not always take the same bytes.
 */
export function addBuffered(before: ByteRange[], player: Player, size: number | null): ByteRange[] {
  const { duration, buffered } = player;
  if (size === null || !Number.isFinite(duration) || duration <= 0) return before;
  const byteAt = (time: number) => Math.round((Math.min(time, duration) / duration) * size);
  const times = Array.from({ length: buffered.length }, (_, index) => ({
    start: byteAt(buffered.start(index)),
    end: byteAt(buffered.end(index)),
  }));
  return times.reduce(addRange, before);
}
