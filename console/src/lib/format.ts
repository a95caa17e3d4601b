const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** Bytes as people read them, in decimal units as S3 bills them: `1.2 MB`. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return '–';
  let unit = 0;
  let value = bytes;
  // 999.95 rounds up to the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${trimZeros(value.toFixed(digits))} ${UNITS[unit] ?? ''}`;
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

const counts = new Intl.NumberFormat('en-US');

/** Digits in groups of three: `12,345`. */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** `1 file`, `2 files`. */
export function countOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

// Formats are made once: to make one takes longer than to draw a row of a table.
const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const clocks = new Intl.DateTimeFormat('en-GB', { timeStyle: 'long' });

/** The word alone, where the number stands out: `row`, `rows`. */
export function wordFor(count: number, singular: string): string {
  return count === 1 ? singular : `${singular}s`;
}

/** A day for a table: `27 Nov 2026`. */
export function formatDay(time: string | null | undefined): string {
  const date = parseTime(time);
  return date ? days.format(date) : '–';
}

/** A moment in full, for a tooltip: `27 Nov 2026, 10:15:30 UTC+1`. */
export function formatMoment(time: string | null | undefined): string {
  const date = parseTime(time);
  if (!date) return '';
  const day = formatDay(time);
  return `${day}, ${clocks.format(date)}`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** `3 hours ago`, `in 12 days`. */
export function formatRelative(time: string | null | undefined, now = Date.now()): string {
  const date = parseTime(time);
  if (!date) return '–';
  const seconds = (date.getTime() - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return seconds > 0 ? 'in less than a minute' : 'just now';
}

/** A length of time: `1 h 05 min`, `4 min 10 s`, `8.2 s`, `740 ms`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${trimZeros(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  const days = Math.floor(whole / 86_400);
  return days === 1 ? '1 day' : `${formatCount(days)} days`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

function parseTime(time: string | null | undefined): Date | null {
  if (!time) return null;
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? null : date;
}
