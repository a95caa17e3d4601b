import type { Clock } from './clock';
import type { FileLink, LinkRoute } from './link';

/** A clock for tests, which goes on when it is told to. */
export class TestClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; call: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#now + milliseconds, call };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  /** Lets time pass, and what waits for it run in its order. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
    }
    this.#now = end;
    await settle();
  }

  get waiting(): number {
    return this.#timers.length;
  }
}

/** Lets promises that are ready go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

export function testLink(clock: Clock, serial: number, route: LinkRoute = 's3', seconds = 3600): FileLink {
  return {
    route,
    url: `https://storage.example.org/file?link=${serial}`,
    query: null,
    expiresAt: clock.now() + seconds * 1000,
    obtainedAt: clock.now(),
    filename: 'file',
    size: 10,
  };
}
