import { useRef, useState } from 'preact/hooks';
import { wasAborted } from '../../api/client';
import { Button } from '../../components/Button';
import { EmptyState, Skeleton } from '../../components/States';
import { formatBytes } from '../../lib/format';
import { useLoad } from '../../lib/useLoad';
import { completeLength, decodeText, detectEncoding, type Encoding } from '../csv/decode';
import { ReadFailure } from '../ReadFailure';
import type { ViewerProps } from '../types';
import './TextViewer.css';

const PIECE = 131_072;

interface Shown {
  text: string;
  encoding: Encoding;
  position: number;
  size: number | null;
  done: boolean;
}

/** Text from its beginning, piece by piece. */
export default function TextViewer({ source, view }: ViewerProps) {
  const shown = useRef<Shown | null>(null);
  const [pieces, setPieces] = useState(1);
  const { data, error, loading, reload } = useLoad(`text ${view.name} ${pieces}`, async (signal) => {
    shown.current = await readPiece(source, shown.current, view.size, signal);
    return shown.current;
  });
  const text = data ?? shown.current;
  if (error && !wasAborted(error)) return <ReadFailure error={error} retry={reload} />;
  if (!text) return <Skeleton lines={10} label="Reading the text" />;
  if (text.position === 0) return <EmptyState icon="text" title="The file is empty" />;
  return (
    <div class="text-view">
      <div class="viewer-head">
        <span>
          {text.done ? 'All of it' : `The first ${formatBytes(text.position)}`}
          {!text.done && text.size !== null && ` of ${formatBytes(text.size)}`}, {text.encoding.toUpperCase()}
        </span>
        {!text.done && (
          <Button small icon="download" busy={loading} onClick={() => setPieces(pieces + 1)}>
            Read {formatBytes(PIECE)} more
          </Button>
        )}
      </div>
      <pre class="text-lines" tabIndex={0} aria-label={view.name} dir="auto">
        {text.text}
      </pre>
    </div>
  );
}

async function readPiece(
  source: ViewerProps['source'],
  before: Shown | null,
  size: number | null,
  signal: AbortSignal,
): Promise<Shown> {
  const start = before?.position ?? 0;
  const { bytes, total } = await source.read({ range: { start, end: start + PIECE }, signal });
  const encoding = before?.encoding ?? detectEncoding(bytes);
  const whole = total ?? size;
  const done = bytes.length < PIECE || (whole !== null && start + bytes.length >= whole);
  const length = done ? bytes.length : completeLength(bytes, encoding);
  const text = (before?.text ?? '') + decodeText(bytes.subarray(0, length), encoding).replace(/^\ufeff/, '');
  return { text, encoding, position: start + length, size: whole, done };
}
