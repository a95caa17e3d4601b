/** A name in parts: text, and characters that would change how the rest looks. */
export type NamePart = { text: string } | { control: string };

// Controls (C0, DEL, C1), marks and overrides of direction, line separators, and what has no width.
const CONTROL = /([\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff])/u;

/** Splits a name so that `evil<U+202E>gnp.exe` cannot look like `evilexe.png`. */
export function nameParts(name: string): NamePart[] {
  return name
    .split(CONTROL)
    .filter((part) => part !== '')
    .map((part) => (CONTROL.test(part) ? { control: codePoint(part) } : { text: part }));
}

/** A name as text alone, where nothing can be marked: `evilU+202Egnp.exe`. */
export function plainName(name: string): string {
  return nameParts(name)
    .map((part) => ('text' in part ? part.text : part.control))
    .join('');
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
