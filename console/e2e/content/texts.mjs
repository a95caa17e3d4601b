// Texts that try what a page must not let them: run script, load from strangers, look like something else.

export const HOSTILE_MARKDOWN = `# Protocol

<script>window.hostile = 'script'</script>
<img src="x" onerror="window.hostile = 'onerror'">
<svg><script>window.hostile = 'svg'</script></svg>
<iframe src="https://stranger.example/frame"></iframe>
<form action="https://stranger.example/"><input name="password"><button>Sign in</button></form>
<style>body { display: none }</style>
<p style="position: fixed; inset: 0" id="app" class="dialog" onclick="window.hostile = 'onclick'">A paragraph.</p>
<base href="https://stranger.example/"><meta http-equiv="refresh" content="0; url=https://stranger.example/">

![A picture](https://stranger.example/picture.png) ![data](data:image/svg+xml,<svg/onload=alert(1)>)

[script](javascript:window.hostile='link') [data](data:text/html,<script>alert(1)</script>)
[entities](jav&#x09;ascript:window.hostile='link') [upper](JAVASCRIPT:alert(1)) <vbscript:alert(1)>

[a stranger](https://stranger.example/page) [mail](mailto:someone@example.org) [beside](other.md)

| name | value |
| --- | --- |
| <b onmouseover="window.hostile = 'cell'">bold</b> | \`<script>\` |
`;

/** JSON of more than 5 MB, with names that are HTML. */
export function largeJson() {
  const trials = Array.from({ length: 70_000 }, (_, number) => ({
    number,
    label: `trial ${number}`,
    values: [number / 3, -number, null, true],
  }));
  return JSON.stringify({ '<img src=x onerror=alert(1)>': '<script>alert(1)</script>', trials, empty: [] });
}

/** A log of more than a piece, in UTF-8 with characters of several bytes. */
export function longText() {
  const lines = Array.from({ length: 8_000 }, (_, number) => `${number} µV – <b>größer</b> ${number / 2}`);
  return lines.join('\n');
}
