import type { ColumnValues } from '../table/stats';
import { isMissing, isNumeric, parseNumber } from './parse';

// A date with an optional time, as ISO 8601 and people's files have it
const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:?\d\d)?)?$/;

/** The values of a column of texts: numbers if nearly all are, times if all are. */
export function csvValues(texts: string[]): ColumnValues {
  const missing = texts.filter(isMissing).length;
  if (isNumeric(texts)) {
    return {
      numbers: Float64Array.from(texts, (text) => parseNumber(text) ?? NaN),
      texts: null,
      times: false,
      missing,
    };
  }
  const present = texts.filter((text) => !isMissing(text));
  if (present.length > 0 && present.every((text) => TIME.test(text.trim()))) {
    return { numbers: Float64Array.from(texts, parseTime), texts: null, times: true, missing };
  }
  return { numbers: null, texts: present, times: false, missing };
}

/** Without a time zone it is read as UTC, so that it looks the same everywhere. */
function parseTime(text: string): number {
  const iso = text.trim().replace(' ', 'T');
  return Date.parse(/T.*(Z|[-+]\d\d:?\d\d)$/.test(iso) || !iso.includes('T') ? iso : `${iso}Z`);
}
