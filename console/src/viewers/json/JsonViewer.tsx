import { useState } from 'preact/hooks';
import { FormatError } from '../../file/error';
import { formatBytes, formatCount } from '../../lib/format';
import { decodeText, detectEncoding } from '../csv/decode';
import { LongText } from '../text/LongText';
import TextViewer from '../text/TextViewer';
import type { ViewerProps } from '../types';
import { WholeFile } from '../WholeFile';
import { JsonTree } from './JsonTree';
import './JsonViewer.css';

const FREE_BYTES = 5_000_000;
/** A tree of more than this takes more memory than tabs have. */
const MOST_BYTES = 60_000_000;

/** JSON as a tree; a file that is none, or a very large one, as text. */
export default function JsonViewer(props: ViewerProps) {
  const { view, source } = props;
  if ((view.size ?? 0) > MOST_BYTES) return <TextViewer {...props} />;
  return (
    <WholeFile source={source} size={view.size} free={FREE_BYTES} name={view.name} parse={parseJson}>
      {(content) => <Content {...props} content={content} />}
    </WholeFile>
  );
}

interface Parsed {
  value: unknown;
  bytes: number;
  error: string | null;
  text: string;
}

function parseJson(bytes: Uint8Array): Parsed {
  const text = decodeText(bytes, detectEncoding(bytes)).replace(/^\ufeff/, '');
  try {
    return { value: JSON.parse(text), bytes: bytes.length, error: null, text };
  } catch (error) {
    if (bytes.length === 0) throw new FormatError('The file is empty.', 'There is nothing to show.');
    return { value: null, bytes: bytes.length, error: error instanceof Error ? error.message : '', text };
  }
}

function Content({ content, view }: ViewerProps & { content: Parsed }) {
  const [form, setForm] = useState<'tree' | 'text'>(content.error === null ? 'tree' : 'text');
  return (
    <div>
      <div class="viewer-head">
        <span>
          {content.error === null ? describe(content.value) : `Not JSON: ${content.error}`},{' '}
          {formatBytes(content.bytes)}
        </span>
        {content.error === null && (
          <div class="choice" role="group" aria-label="Form">
            {(['tree', 'text'] as const).map((candidate) => (
              <button
                key={candidate}
                type="button"
                aria-pressed={form === candidate}
                onClick={() => setForm(candidate)}
              >
                {candidate === 'tree' ? 'Tree' : 'Text'}
              </button>
            ))}
          </div>
        )}
      </div>
      {form === 'tree' ? (
        <JsonTree value={content.value} label={view.name} />
      ) : (
        <LongText text={content.text} label={view.name} />
      )}
    </div>
  );
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `A list of ${formatCount(value.length)}`;
  if (typeof value === 'object' && value !== null)
    return `An object of ${formatCount(Object.keys(value).length)}`;
  return 'One value';
}
