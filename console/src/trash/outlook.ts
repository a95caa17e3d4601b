import type { TrashItem } from '../api/types';
import { isFolder, type Tone } from '../lib/kinds';

/** In milliseconds: what ends within a week is worth a warning. */
const SOON = 7 * 86_400_000;

/** Whether, and until when, a package can come back: in words. */
export function outlookOf(
  item: TrashItem,
  formatDay: (time: string) => string,
  now = Date.now(),
): { text: string; tone: Tone; title?: string } {
  if (item.state === 'RESTORING') return { text: 'Coming back', tone: 'accent' };
  if (item.state === 'DELETING') return { text: 'Being deleted', tone: 'plain' };
  if (item.reason) return { text: 'Last try failed', tone: 'danger', title: item.reason };
  if (!item.restorable) return { text: 'No: no stored file', tone: 'danger' };
  if (isFolder(item)) return { text: 'Yes', tone: 'plain', title: 'A folder comes back with what is in it' };
  if (item.recoverable === undefined) return { text: 'Asking S3…', tone: 'plain' };
  if (item.recoverable === null) return { text: 'Unknown', tone: 'plain', title: 'S3 did not tell' };
  if (!item.recoverable) return { text: 'No: gone from S3', tone: 'danger' };
  const until = item.recoverable_until;
  if (!until) return { text: 'Yes, no end set', tone: 'plain' };
  const soon = Date.parse(until) - now < SOON;
  return { text: `Until ${formatDay(until)}`, tone: soon ? 'warn' : 'plain', title: until };
}
