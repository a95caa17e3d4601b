/** Quotes text for bash, dash and zsh: nothing in it is expanded. */
export function quoteShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A string of Python: the escapes of JSON mean the same there. Not for f-strings. */
export function quotePython(text: string): string {
  return JSON.stringify(text);
}

/** A string of JavaScript. */
export function quoteScript(text: string): string {
  return JSON.stringify(text);
}

/** A string of SQL, as DuckDB reads it: no escapes but the doubled quote. */
export function quoteSql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A string of R. It has the escapes of JSON too. */
export function quoteR(text: string): string {
  return JSON.stringify(text);
}

// Path separators, what Windows forbids, controls, and what reverses the reading direction (Unicode UAX #9).

const UNSAFE = /[\u0000-\u001f\u007f-\u009f/\\:*?"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The name under which a file can be saved everywhere, and that is read in a command as it is written. */
export function safeFileName(name: string): string {
  const safe = name.replace(UNSAFE, '_').replace(/^-/, './-');
  return /^\.{0,2}$/.test(safe) ? 'file' : safe;
}
