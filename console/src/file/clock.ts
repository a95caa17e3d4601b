/** Time as an argument, so that tests need not wait. */
export interface Clock {
  /** In milliseconds since the epoch. */
  now(): number;
  /** Calls back once after so many milliseconds. Returns how to cancel that. */
  after(milliseconds: number, call: () => void): () => void;
}

// Longer delays would fire at once (HTML, "timers": a delay is a signed 32-bit integer).
const LONGEST_DELAY = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, Math.min(Math.max(milliseconds, 0), LONGEST_DELAY));
    return () => clearTimeout(timer);
  },
};

/** Waits, or throws the signal's reason when it is aborted meanwhile. */
export function wait(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(milliseconds, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
