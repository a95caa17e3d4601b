import type { ColumnValues } from '../table/stats';
import { PreciseDate } from './preciseDate';

/** A value in a cell. Never longer than a person reads. */
export function formatValue(value: unknown, single = false): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number')
    return single && Number.isFinite(value) ? String(Number(value.toPrecision(7))) : String(value);
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return formatDate(value);
  if (value instanceof Uint8Array) return formatBinary(value);
  return JSON.stringify(value, replaceValue);
}

function formatDate(date: Date): string {
  if (Number.isNaN(date.getTime())) return 'not a date';
  const digits = date instanceof PreciseDate ? date.digits : '';
  const text = date.toISOString().replace('Z', `${digits}Z`);
  return /T00:00:00\.0+Z$/.test(text) ? text.slice(0, 10) : text.replace('T', ' ').replace('Z', '');
}

const SHOWN_BYTES = 24;

function formatBinary(bytes: Uint8Array): string {
  const hex = Array.from(bytes.subarray(0, SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join(
    ' ',
  );
  return bytes.length > SHOWN_BYTES ? `${hex} … (${bytes.length} bytes)` : hex;
}

function replaceValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
  return value instanceof Uint8Array ? formatBinary(value) : value;
}

/** Numbers and dates can be plotted; all else is counted. */
export function valuesOf(values: unknown[]): ColumnValues {
  const present = values.filter((value) => value !== null && value !== undefined);
  const missing = values.length - present.length;
  const times = present.length > 0 && present.every((value) => value instanceof Date);
  const numeric = present.every((value) => typeof value === 'number' || typeof value === 'bigint');
  if (present.length > 0 && (times || numeric)) {
    return { numbers: Float64Array.from(values, toNumber), texts: null, times, missing };
  }
  return { numbers: null, texts: present.map((value) => formatValue(value)), times: false, missing };
}

function toNumber(value: unknown): number {
  return value === null || value === undefined ? NaN : Number(value);
}
