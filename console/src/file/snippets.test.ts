import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { quotePython, quoteShell, quoteSql, safeFileName } from './quoting';
import { presignUrl, snippetsOf, type SnippetTarget } from './snippets';

const TARGET: SnippetTarget = {
  api: 'https://api.example.org/packages',
  datasetId: 'N:dataset:1',
  packageId: 'N:package:2',
  name: 'units.csv',
  path: null,
};

const NAMES = [
  `it's "quoted" $HOME \`id\` $(id) \\ !.csv`,
  'two  spaces\tand a tab.csv',
  '-rf',
  '../../etc/passwd',
  'Übersicht 🧠 (final), v2.csv',
  '\u202egnp.exe.csv',
  '<img src=x onerror=alert(1)>.csv',
  `${'x'.repeat(251)}.csv`,
];

const named = (name: string) => snippetsOf({ ...TARGET, name });

describe('quoting', () => {
  it.each(NAMES)('gives the shell exactly %j', (name) => {
    expect(execFileSync('sh', ['-c', `printf %s ${quoteShell(name)}`], { encoding: 'utf8' })).toBe(name);
  });

  it('gives Python exactly the name', () => {
    const program = `import sys, json; json.dump([${NAMES.map(quotePython).join(', ')}], sys.stdout)`;
    expect(JSON.parse(execFileSync('python3', ['-c', program], { encoding: 'utf8' }))).toEqual(NAMES);
  });

  it('doubles the quotes of SQL', () => expect(quoteSql(`a'b''c`)).toBe(`'a''b''''c'`));

  it('makes names safe to save and to read', () => {
    expect(NAMES.map(safeFileName)).toEqual([
      `it's _quoted_ $HOME \`id\` $(id) _ !.csv`,
      'two  spaces_and a tab.csv',
      './-rf',
      '.._.._etc_passwd',
      'Übersicht 🧠 (final), v2.csv',
      '_gnp.exe.csv',
      '_img src=x onerror=alert(1)_.csv',
      `${'x'.repeat(251)}.csv`,
    ]);
    expect(['', '.', '..'].map(safeFileName)).toEqual(['file', 'file', 'file']);
  });
});

describe('snippets', () => {
  const ids = (target: SnippetTarget) => snippetsOf(target).map(({ id }) => id);

  it('are those that suit the file', () => {
    expect(ids(TARGET)).toEqual(['curl', 'wget', 'python', 'duckdb', 'r', 'fetch']);
    expect(ids({ ...TARGET, name: 'slice.dat' })).toEqual(['curl', 'wget', 'python', 'r', 'fetch']);
    expect(ids({ ...TARGET, path: 'image.ome.zarr/' })).toEqual(['zarr-python', 'zarrita', 'curl']);
  });

  it('have the token from the environment only, and the ids as they are', () => {
    for (const { code } of [...named('a.parquet'), ...snippetsOf({ ...TARGET, path: 'a.zarr/' })]) {
      expect(code).toMatch(/\$TOKEN|environ\["TOKEN"\]|environ\['TOKEN'\]|getenv\("TOKEN"\)|env\.TOKEN/);
      expect(code).toContain('dataset_id=N:dataset:1&package_id=N:package:2');
      expect(code).not.toMatch(/Bearer ey|Signature=/);
    }
  });

  it('are well-formed, whatever the name', () => {
    const all = NAMES.flatMap((name) =>
      ['', '.parquet', '.tsv'].flatMap((extension) => named(name + extension)),
    );
    for (const { code } of all) expect(code).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    const codes = (language: string) =>
      all.filter((snippet) => snippet.language === language).map(({ code }) => code);
    execFileSync('bash', ['-n'], { input: codes('sh').join('\n') });
    const parse = 'import ast, json, sys; [ast.parse(code) for code in json.load(sys.stdin)]';
    execFileSync('python3', ['-c', parse], { input: JSON.stringify(codes('python')) });
    const script = codes('js')
      .map((code) => `{${code}}`)
      .join('\n');
    execFileSync(process.execPath, ['--input-type=module', '--check', '-'], { input: script });
  });

  it('escape paths of assets', () => {
    expect(presignUrl({ ...TARGET, path: `a b/it's (1)&x=1.parquet` })).toBe(
      'https://api.example.org/packages/presign/s3?dataset_id=N:dataset:1&package_id=N:package:2&path=a%20b/it%27s%20%281%29%26x%3D1.parquet',
    );
  });
});
