/** How the bytes of a text file are characters. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** By the byte order mark, else UTF-8 if the bytes are that, else what spreadsheets of Windows write. */
export function detectEncoding(bytes: Uint8Array): Encoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice(0, completeLength(bytes, 'utf-8')));
    return 'utf-8';
  } catch {
    return 'windows-1252';
  }
}

/** How many bytes are whole characters: the last one may be cut. */
export function completeLength(bytes: Uint8Array, encoding: Encoding): number {
  if (encoding === 'windows-1252') return bytes.length;
  if (encoding !== 'utf-8') return completeUtf16(bytes, encoding);
  // A character has at most four bytes; all but its first begin with the bits 10 (RFC 3629).
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function completeUtf16(bytes: Uint8Array, encoding: Encoding): number {
  const even = bytes.length - (bytes.length % 2);
  const high = bytes[even - (encoding === 'utf-16le' ? 1 : 2)] ?? 0;
  // The first half of a surrogate pair
  return even >= 2 && high >= 0xd8 && high < 0xdc ? even - 2 : even;
}

export function decodeText(bytes: Uint8Array, encoding: Encoding): string {
  return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
}

/** How many bytes the characters take. */
export function encodedLength(text: string, encoding: Encoding): number {
  if (encoding === 'utf-8') return new TextEncoder().encode(text).length;
  return encoding === 'windows-1252' ? text.length : text.length * 2;
}
