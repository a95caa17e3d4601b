import { signal } from '@preact/signals';
import { requestApi } from '../api/client';
import { ApiError } from '../api/problem';
import type {
  OrderFailure,
  OrderResponse,
  PackageMetadata,
  RestorePreview,
  RestoreProgress,
} from '../api/types';
import { addSample, isFinished, rateOf, sumUp, type Rate, type Sample, type Totals } from './progress';

/** Where a restored package is now. */
export interface Outcome {
  id: string;
  kind: string;
  /** Null if it is not known what it was called. */
  oldName: string | null;
  newName: string;
}

/** How many packages are looked up to say what they are called now. */
const MAX_OUTCOMES = 100;
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 3000;
/** How many requests run at a time. */
const PARALLEL = 6;

export function previewRestore(dataset: string, ids: string[], abort: AbortSignal): Promise<RestorePreview> {
  const query = { dataset_id: dataset, dry_run: true };
  return requestApi('/restore', { method: 'POST', query, body: { nodeIds: ids }, signal: abort });
}

export function orderRestore(dataset: string, ids: string[]): Promise<OrderResponse> {
  return requestApi('/restore', { method: 'POST', query: { dataset_id: dataset }, body: { nodeIds: ids } });
}

/** Follows the orders of some packages until they are finished. */
export class RestoreJob {
  readonly totals = signal<Totals | null>(null);
  readonly rate = signal<Rate | null>(null);
  readonly error = signal<unknown>(null);
  /** What is where, once all is finished. */
  readonly outcomes = signal<Outcome[] | null>(null);
  private readonly orders = new Map<string, RestoreProgress>();
  private samples: Sample[] = [];
  private readonly abort = new AbortController();

  constructor(
    readonly dataset: string,
    readonly ids: readonly string[],
    /** Null for a restore that another page ordered. */
    readonly preview: RestorePreview | null,
    readonly refused: readonly OrderFailure[],
    private readonly onFinish: () => void,
  ) {}

  stop(): void {
    this.abort.abort();
  }

  /** Asks until all is finished; after a failure, until `follow` is called again. */
  async follow(): Promise<void> {
    this.error.value = null;
    let pause = FIRST_PAUSE;
    try {
      while (!(await this.ask())) {
        await sleep(pause, this.abort.signal);
        pause = Math.min(LONGEST_PAUSE, pause * 1.15);
      }
      this.onFinish();
      this.outcomes.value = await this.lookUp();
    } catch (error) {
      if (!this.abort.signal.aborted) this.error.value = error;
    }
  }

  /** Whether all orders are finished. */
  private async ask(): Promise<boolean> {
    const open = this.ids.filter((id) => {
      const known = this.orders.get(id);
      return !known || !isFinished(known);
    });
    await inParallel(open, async (id) => {
      const query = { dataset_id: this.dataset, package_id: id };
      this.orders.set(
        id,
        await requestApi<RestoreProgress>('/restore', { query, signal: this.abort.signal }),
      );
    });
    const totals = sumUp([...this.orders.values()]);
    this.samples = addSample(this.samples, {
      at: Date.now(),
      restored: totals.restored,
      bytes: totals.bytes,
    });
    this.totals.value = totals;
    this.rate.value = rateOf(this.samples);
    return totals.stage === 'finished';
  }

  private async lookUp(): Promise<Outcome[]> {
    const failed = new Set(this.totals.value?.failed.map(({ id }) => id));
    const oldNames = new Map(this.preview?.packages.map(({ id, name }) => [id, name]));
    const renamed = this.preview?.packages.filter(({ new_name }) => new_name).map(({ id }) => id) ?? [];
    const wanted = [...new Set([...this.ids, ...renamed])]
      .filter((id) => !failed.has(id))
      .slice(0, MAX_OUTCOMES);
    const outcomes = new Map<string, Outcome>();
    await inParallel(wanted, async (id) => {
      const found = await this.find(id);
      if (found)
        outcomes.set(id, { id, kind: found.kind, oldName: oldNames.get(id) ?? null, newName: found.name });
    });
    return wanted.flatMap((id) => outcomes.get(id) ?? []);
  }

  /** Null if it is not there, such as after another deletion. */
  private async find(id: string): Promise<PackageMetadata | null> {
    const query = { dataset_id: this.dataset, package_id: id };
    try {
      return await requestApi<PackageMetadata>('/metadata', { query, signal: this.abort.signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

function sleep(milliseconds: number, abort: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    abort.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('', 'AbortError'));
    });
  });
}
