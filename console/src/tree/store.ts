import { signal } from '@preact/signals';
import type { Page } from '../api/types';
import { wasAborted } from '../api/client';

/** Reads one page of a folder; `parent` is null at the top. */
export type ReadPage<T> = (
  parent: string | null,
  cursor: string | null,
  limit: number,
  abort: AbortSignal,
) => Promise<Page<T>>;

/** The children of one folder, as far as they are loaded. */
export interface Level<T> {
  parent: string | null;
  depth: number;
  items: T[];
  /** The cursor of the next page: undefined before the first, null after the last. */
  next: string | null | undefined;
  loading: boolean;
  error: unknown;
  /** Its last items, if they were read before those between; null if not, and once these are there. */
  tail: Level<T> | null;
  /** The positions of the open folders, ascending, and what is in them. */
  open: { position: number; level: Level<T> }[];
}

export type Row<T> =
  | { kind: 'item'; key: string; item: T; depth: number; level: Level<T>; position: number; open: boolean }
  | { kind: 'loading' | 'error' | 'empty'; key: string; depth: number; level: Level<T> };

/** Neighbouring rows of one level. `from` is the position of the first; null stands for the one row that tells about the level. */
interface Run<T> {
  start: number;
  level: Level<T>;
  from: number | null;
  count: number;
}

interface Limits {
  first: number;
  later: number;
}

/** What is quick to show at first, and what is quick to scroll through. */
export const FIRST_PAGE = 200;
export const LATER_PAGE = 1000;

/**
 * Folders that are read page by page, and the rows that they make. A row is found in logarithmic time, whatever is loaded: only
 * open folders split the rows into runs.
 */
export class TreeStore<T extends { id: string }> {
  /** Changes whenever the rows do. */
  readonly version = signal(0);
  readonly root: Level<T> = newLevel<T>(null, 0);
  private runs: Run<T>[] = [];
  private rows = 0;
  private readonly abort = new AbortController();
  private readonly pages = new Map<Level<T>, Promise<void>>();

  /** `readBackwards` reads the same items from the last one on, where that can be done. */
  constructor(
    private readonly read: ReadPage<T>,
    private readonly limits: Limits = { first: FIRST_PAGE, later: LATER_PAGE },
    private readonly readBackwards: ReadPage<T> | null = null,
  ) {
    this.arrange();
  }

  get rowCount(): number {
    return this.rows;
  }

  /** How many items are in the rows: not those of closed folders. */
  get itemCount(): number {
    return this.runs.reduce((sum, run) => sum + (run.from === null ? 0 : run.count), 0);
  }

  /** Ends all requests. */
  dispose(): void {
    this.abort.abort();
  }

  rowAt(index: number): Row<T> | undefined {
    const run = this.runAt(index);
    return run && rowOf(run, index);
  }

  /** The first row from `start` on that fits, around the end, or -1. */
  findRow(fits: (row: Row<T>) => boolean, start = 0): number {
    for (let step = 0; step < this.rows; step += 1) {
      const index = (start + step) % this.rows;
      const row = this.rowAt(index);
      if (row && fits(row)) return index;
    }
    return -1;
  }

  /** The row of an item: `hint` is where it was. */
  indexOf(key: string, hint = 0): number {
    if (this.rowAt(hint)?.key === key) return hint;
    return this.findRow((row) => row.key === key, 0);
  }

  /** Loads the next page of a level, if there is one. Calls while a page is on its way share it. */
  loadMore(level: Level<T> = this.root): Promise<void> {
    if (level.next === null) return Promise.resolve();
    const running = this.pages.get(level);
    if (running) return running;
    const page = this.loadPage(level).finally(() => this.pages.delete(level));
    this.pages.set(level, page);
    return page;
  }

  /** Loads the last items of the top, whatever lies between. Without a way backwards, or if it fails, nothing happens. */
  async loadTail(): Promise<void> {
    const { root } = this;
    if (!this.readBackwards || root.next === null || root.tail) return;
    try {
      const page = await this.readBackwards(root.parent, null, this.limits.first, this.abort.signal);
      // Meanwhile all may have come from the front.
      if (this.root.next === null || page.items.length === 0) return;
      root.tail = { ...newLevel<T>(root.parent, root.depth), items: page.items.reverse(), next: null };
      this.joinTail(root, 0);
    } catch {
      // The way from the front is still there.
    }
    this.arrange();
  }

  /** Loads a level to its end, unless it fails or `signal` ends it. */
  async loadAll(level: Level<T>, signal: AbortSignal): Promise<void> {
    while (level.next !== null && !signal.aborted) {
      await this.loadMore(level);
      if (level.error) return;
    }
  }

  /** Opens or closes a folder. What was loaded stays for the next time. */
  toggle(row: Row<T>): void {
    if (row.kind !== 'item') return;
    const { level, position } = row;
    const place = level.open.findIndex((entry) => entry.position >= position);
    if (row.open) {
      level.open.splice(place, 1);
      return this.arrange();
    }
    const child = newLevel<T>(row.item.id, level.depth + 1);
    level.open.splice(place < 0 ? level.open.length : place, 0, { position, level: child });
    void this.loadMore(child);
    this.arrange();
  }

  /** Replaces loaded items, such as by those that tell more. */
  update(replace: (item: T) => T, level: Level<T> = this.root): void {
    level.items = level.items.map(replace);
    for (const { level: child } of level.open) this.update(replace, child);
    if (level.tail) this.update(replace, level.tail);
    if (level === this.root) this.changed();
  }

  /** All loaded items of the rows. */
  *items(level: Level<T> = this.root): Iterable<T> {
    yield* level.items;
    for (const { level: child } of level.open) yield* this.items(child);
    if (level.tail) yield* this.items(level.tail);
  }

  private async loadPage(level: Level<T>): Promise<void> {
    const isRetry = level.error !== null;
    level.loading = true;
    level.error = null;
    // Else its last row says already that there is more to come.
    if (isRetry || level.next === undefined) this.arrange();
    try {
      const limit = level.next === undefined ? this.limits.first : this.limits.later;
      const before = level.items.length;
      // A page may be empty although there are more: the trash is read in bounded parts.
      while (level.next !== null && level.items.length === before) {
        const page = await this.read(level.parent, level.next ?? null, limit, this.abort.signal);
        level.items.push(...page.items);
        level.next = page.next;
        this.joinTail(level, before);
      }
    } catch (error) {
      if (!wasAborted(error)) level.error = error;
    }
    level.loading = false;
    this.arrange();
  }

  /** Once the items from the front, new from a position on, reach those from the end, they are one list. */
  private joinTail(level: Level<T>, from: number): void {
    const { tail } = level;
    if (!tail) return;
    const known = new Set(tail.items.map(({ id }) => id));
    const found = level.items.slice(from).findIndex(({ id }) => known.has(id));
    const meeting = found < 0 ? -1 : from + found;
    if (meeting < 0 && level.next !== null) return;
    if (meeting >= 0) {
      level.items.length = meeting;
      const moved = tail.open.map((entry) => ({ ...entry, position: entry.position + meeting }));
      level.open = [...level.open.filter(({ position }) => position < meeting), ...moved];
      level.items.push(...tail.items);
      level.next = null;
    }
    level.tail = null;
  }

  private arrange(): void {
    this.runs = [];
    this.rows = 0;
    this.addLevel(this.root);
    this.changed();
  }

  private changed(): void {
    this.version.value += 1;
  }

  private addLevel(level: Level<T>): void {
    let from = 0;
    for (const { position, level: child } of level.open) {
      this.addRun(level, from, position + 1 - from);
      this.addLevel(child);
      from = position + 1;
    }
    this.addRun(level, from, level.items.length - from);
    if (statusOf(level)) this.addRun(level, null, 1);
    if (level.tail) this.addLevel(level.tail);
  }

  private addRun(level: Level<T>, from: number | null, count: number): void {
    if (count <= 0) return;
    this.runs.push({ start: this.rows, level, from, count });
    this.rows += count;
  }

  private runAt(index: number): Run<T> | undefined {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const run = this.runs[middle];
      if (!run || run.start > index) high = middle;
      else low = middle + 1;
    }
    const run = this.runs[low - 1];
    return run && index < run.start + run.count ? run : undefined;
  }
}

function newLevel<T>(parent: string | null, depth: number): Level<T> {
  return { parent, depth, items: [], next: undefined, loading: false, error: null, tail: null, open: [] };
}

/** What the row at the end of a level tells, if it has one. */
function statusOf<T>(level: Level<T>): 'loading' | 'error' | 'empty' | null {
  if (level.error) return 'error';
  if (level.next !== null) return 'loading';
  return level.items.length === 0 ? 'empty' : null;
}

function rowOf<T extends { id: string }>(run: Run<T>, index: number): Row<T> | undefined {
  const { level } = run;
  if (run.from === null) {
    return {
      kind: statusOf(level) ?? 'loading',
      key: `end of ${level.parent ?? 'top'}`,
      depth: level.depth,
      level,
    };
  }
  const position = run.from + index - run.start;
  const item = level.items[position];
  if (!item) return undefined;
  const open = level.open.some((entry) => entry.position === position);
  return { kind: 'item', key: item.id, item, depth: level.depth, level, position, open };
}
