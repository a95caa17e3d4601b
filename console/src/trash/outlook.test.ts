import { expect, it } from 'vitest';
import type { TrashItem } from '../api/types';
import { outlookOf } from './outlook';

const NOW = Date.parse('2026-11-27T10:00:00Z');

function item(changes: Partial<TrashItem>): TrashItem {
  return {
    id: 'N:package:a',
    name: 'a.csv',
    kind: 'CSV',
    size: 1,
    parent: null,
    path: [],
    deleted_at: null,
    children: null,
    more_children: false,
    state: 'DELETED',
    reason: null,
    restorable: true,
    ...changes,
  };
}

it.each<[Partial<TrashItem>, string, string]>([
  [{}, 'Asking S3…', 'plain'],
  [{ recoverable: null }, 'Unknown', 'plain'],
  [{ recoverable: false }, 'No: gone from S3', 'danger'],
  [{ recoverable: true, recoverable_until: null }, 'Yes, no end set', 'plain'],
  [{ recoverable: true, recoverable_until: '2026-12-24T11:18:50Z' }, 'Until 2026-12-24', 'plain'],
  [{ recoverable: true, recoverable_until: '2026-11-29T11:18:50Z' }, 'Until 2026-11-29', 'warn'],
  [{ restorable: false, recoverable: true }, 'No: no stored file', 'danger'],
  [{ reason: 'access denied' }, 'Last try failed', 'danger'],
  [{ state: 'RESTORING' }, 'Coming back', 'accent'],
  [{ kind: 'Collection', children: 5 }, 'Yes', 'plain'],
])('%o is %s', (changes, text, tone) => {
  expect(outlookOf(item(changes), (time) => time.slice(0, 10), NOW)).toMatchObject({ text, tone });
});
