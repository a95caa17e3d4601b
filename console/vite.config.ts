import { defineConfig } from 'vitest/config';
import { compressAssets } from './build/compress.ts';

// The service to develop against: `make run` in another terminal.
const service = process.env.CONSOLE_SERVICE ?? 'http://127.0.0.1:8080';

// zarrita's decoders are WebAssembly of 1.4 MB, which the Content-Security-Policy does not allow: these are JavaScript.
const codecs = ['blosc', 'lz4', 'zstd'].map((name) => ({
  find: `numcodecs/${name}`,
  replacement: `${import.meta.dirname}/src/viewers/codecs/zarr-${name}.ts`,
}));

const proxied = {
  target: service,
  changeOrigin: true,
  // `dev` gives tokens to its own pages only, so the request has to look as if it came from one.
  headers: { origin: service, 'sec-fetch-site': 'same-origin' },
};

export default defineConfig({
  plugins: [compressAssets()],
  resolve: { alias: codecs },
  // An alias is not applied to what is bundled in advance.
  optimizeDeps: { exclude: ['zarrita'] },
  server: {
    port: 5173,
    proxy: { '/packages': proxied, '^/console/(?!assets)': proxied },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: ['chrome123', 'firefox128', 'safari17.5'],
    assetsDir: 'console/assets',
    // The Content-Security-Policy allows neither inline scripts nor data: URLs of scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { include: ['src/**/*.test.ts', 'build/**/*.test.ts'] },
});
