import { describe, expect, it } from 'vitest';
import { completeLength, decodeText, detectEncoding } from './decode';
import { detectDelimiter, hasHeader, isNumeric, parseNumber, parseRecords } from './parse';
import { CsvTable, PIECE } from './table';

describe('records', () => {
  const rows = (text: string, delimiter = ',') => parseRecords(text, delimiter, true).rows;

  it('have quoted fields with delimiters, quotes and line breaks', () => {
    expect(rows('a,"b,c","d ""e""","f\r\ng"\r\nh,,,\n')).toEqual([
      ['a', 'b,c', 'd "e"', 'f\r\ng'],
      ['h', '', '', ''],
    ]);
  });

  it('end in LF, CRLF or CR, the last one in nothing', () => {
    expect(rows('a,b\nc,d\r\ne,f\rg,h')).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
      ['g', 'h'],
    ]);
    expect(rows('a\n\n\nb\n')).toEqual([['a'], ['b']]);
    expect(rows('a,b\n1,')).toEqual([
      ['a', 'b'],
      ['1', ''],
    ]);
  });

  it('keep what people write: a quote within a field, text after a closed quote', () => {
    expect(rows('5" disk,"a"b,c\n')).toEqual([['5" disk', 'ab', 'c']]);
  });

  it('that are not complete wait for the next piece', () => {
    expect(parseRecords('a,b\nc,"d\n', ',', false)).toEqual({ rows: [['a', 'b']], consumed: 4 });
    expect(parseRecords('a,b\r', ',', false)).toEqual({ rows: [], consumed: 0 });
    expect(parseRecords('a,"b"', ',', false)).toEqual({ rows: [], consumed: 0 });
  });
});

describe('what a file is', () => {
  it('delimiters', () => {
    expect(detectDelimiter('a;b;c\n1,5;2;3\n', 'x.csv')).toBe(';');
    expect(detectDelimiter('a\tb\n1\t2\n', 'x.csv')).toBe('\t');
    expect(detectDelimiter('a,b\n', 'x.tsv')).toBe('\t');
    expect(detectDelimiter('one column\nof text\n', 'x.csv')).toBe(',');
  });

  it('headers', () => {
    expect(
      hasHeader([
        ['id', 'name'],
        ['1', 'a'],
      ]),
    ).toBe(true);
    expect(
      hasHeader([
        ['1', '2'],
        ['3', '4'],
      ]),
    ).toBe(false);
    expect(
      hasHeader([
        ['a', 'a'],
        ['3', '4'],
      ]),
    ).toBe(false);
    expect(hasHeader([['a', 'b']])).toBe(false);
  });

  it('numbers', () => {
    expect(['1', '-1.5e3', ' .5 ', '+7', '-inf', '1,5', '0x1', '', '1.2.3'].map(parseNumber)).toEqual([
      1,
      -1500,
      0.5,
      7,
      -Infinity,
      null,
      null,
      null,
      null,
    ]);
    expect(isNumeric(['1', 'NA', '', '2'])).toBe(true);
    expect(isNumeric(['1', 'x'])).toBe(false);
    expect(isNumeric(['', ''])).toBe(false);
  });

  it('encodings, also where a character is cut', () => {
    const bytes = new TextEncoder().encode('aß🧠');
    expect([1, 2, 3, 4, 5, 6, 7].map((length) => completeLength(bytes.slice(0, length), 'utf-8'))).toEqual([
      1, 1, 3, 3, 3, 3, 7,
    ]);
    expect(detectEncoding(bytes.slice(0, 5))).toBe('utf-8');
    expect(detectEncoding(new Uint8Array([0x61, 0xdf, 0x62]))).toBe('windows-1252');
    expect(decodeText(new Uint8Array([0x61, 0xdf]), 'windows-1252')).toBe('aß');
    expect(detectEncoding(new Uint8Array([0xff, 0xfe, 0x61, 0x00]))).toBe('utf-16le');
  });
});

function tableOf(content: string | Uint8Array, name = 'a.csv') {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const asked: [number, number][] = [];
  const table = new CsvTable(
    (start, end) => {
      asked.push([start, end]);
      return Promise.resolve({ bytes: bytes.slice(start, end), total: bytes.length });
    },
    name,
    bytes.length,
  );
  return { table, asked };
}

async function readAll(table: CsvTable): Promise<string[][]> {
  while (!table.done) await table.readMore();
  await table.load(0, table.rowCount);
  return Array.from({ length: table.rowCount }, (_, index) => table.row(index) ?? ['not there']);
}

describe('a file by pieces', () => {
  // Records of all kinds, so that borders of pieces fall into each part of them
  const record = (index: number) => [
    `${index}`,
    'plain',
    'with, comma',
    `"quoted"\r\nßtwo lines 🧠 ${'x'.repeat(index % 97)}`,
    '',
  ];
  const quote = (field: string) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);
  const rows = Array.from({ length: 9000 }, (_, index) => record(index));
  const header = ['id', 'plain', 'comma', 'quoted', 'empty'];
  const text = [header, ...rows].map((row) => row.map(quote).join(',')).join('\r\n');

  it('reads only the beginning at first, and each piece once', async () => {
    const { table, asked } = tableOf(text);
    await Promise.all([table.readMore(), table.readMore()]);
    expect(asked).toEqual([[0, PIECE]]);
    expect(table.header).toEqual(header);
    expect(table.row(0)).toEqual(rows[0]);
    expect(Math.abs(table.estimatedRows - rows.length) / rows.length).toBeLessThan(0.1);
  });

  it.each([0, 1, 2, 3, 5, 8, 13])('is the same as read at once, with %i bytes in front', async (offset) => {
    const { table, asked } = tableOf(`${'é'.repeat(offset)}${text}`);
    expect(await readAll(table)).toEqual(rows);
    expect(asked.length).toBeGreaterThan(3);
  });

  it('keeps a byte order mark out of the first name', async () => {
    const { table } = tableOf(`\ufeffid,x\n1,2\n`);
    expect(await readAll(table)).toEqual([['1', '2']]);
    expect(table.header).toEqual(['id', 'x']);
  });

  it('reads UTF-16 as spreadsheets export it', async () => {
    const bytes = new Uint8Array(Buffer.from('\ufeffid\tx\r\n1\tß\r\n', 'utf16le'));
    const { table } = tableOf(bytes, 'a.tsv');
    expect(await readAll(table)).toEqual([['1', 'ß']]);
  });

  it('forgets rows far away, and reads exactly them again', async () => {
    const small = Array.from({ length: 300_000 }, (_, index) => `${index},${index * 2}`).join('\n');
    const { table, asked } = tableOf(`id,double\n${small}\n`);
    while (!table.done) await table.readMore();
    expect(table.rowCount).toBe(300_000);
    expect(table.row(10)).toBeNull();
    const before = asked.length;
    await table.load(0, 40);
    expect(table.row(10)).toEqual(['10', '20']);
    expect(asked.length).toBe(before + 1);
    expect(table.row(299_999)).toBeDefined();
  });

  it('says where a quote is open', async () => {
    const { table } = tableOf(`a,b\n1,2\n`.repeat(10) + `"${'x'.repeat(9_000_000)}`);
    await table.readMore();
    await expect(table.readMore()).rejects.toThrow(/byte 80/);
  });

  it('is empty if the file is', async () => {
    const { table } = tableOf('');
    expect(await readAll(table)).toEqual([]);
  });
});
