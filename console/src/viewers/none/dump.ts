const WIDTH = 16;

/** Bytes as `hexdump -C` shows them: where they are, what they are, and as ASCII. */
export function dumpBytes(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start < bytes.length; start += WIDTH) {
    const line = [...bytes.subarray(start, start + WIDTH)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${start.toString(16).padStart(6, '0')}  ${hex.padEnd(WIDTH * 3)} ${text}`);
  }
  return lines.join('\n');
}
