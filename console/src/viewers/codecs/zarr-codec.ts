/** Takes the place of a codec of numcodecs (vite.config.ts), which would be WebAssembly. The console only reads. */
export function readOnlyCodec(decode: (bytes: Uint8Array) => Uint8Array) {
  const codec = {
    kind: 'bytes_to_bytes',
    decode,
    encode(): never {
      throw new Error('the console writes nothing');
    },
  };
  return { fromConfig: () => codec };
}
