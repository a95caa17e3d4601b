import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { decodeText, detectEncoding } from '../csv/decode';
import { LongText } from '../text/LongText';
import TextViewer from '../text/TextViewer';
import type { ViewerProps } from '../types';
import { WholeFile } from '../WholeFile';
import { renderMarkdown } from './render';
import './MarkdownViewer.css';

const FREE_BYTES = 1_000_000;

/** Markdown as it is read: cleaned of all that could run or load anything. */
export default function MarkdownViewer(props: ViewerProps) {
  const { view, source } = props;
  if ((view.size ?? 0) > FREE_BYTES) return <TextViewer {...props} />;
  const parse = (bytes: Uint8Array) => decodeText(bytes, detectEncoding(bytes)).replace(/^\ufeff/, '');
  return (
    <WholeFile source={source} size={view.size} free={FREE_BYTES} name={view.name} parse={parse}>
      {(text) => <Content text={text} name={view.name} />}
    </WholeFile>
  );
}

function Content({ text, name }: { text: string; name: string }) {
  const nodes = useMemo(() => tryRender(text), [text]);
  const [form, setForm] = useState<'read' | 'text'>('read');
  if (!nodes) {
    return (
      <div>
        <div class="viewer-head">
          <span>This Markdown is nested too deeply to be laid out. This is its text.</span>
        </div>
        <LongText text={text} label={name} />
      </div>
    );
  }
  return (
    <div>
      <div class="viewer-head">
        <span>Pictures of other sites are not loaded.</span>
        <div class="choice" role="group" aria-label="Form">
          <button type="button" aria-pressed={form === 'read'} onClick={() => setForm('read')}>
            Read
          </button>
          <button type="button" aria-pressed={form === 'text'} onClick={() => setForm('text')}>
            Text
          </button>
        </div>
      </div>
      {form === 'read' ? <Rendered nodes={nodes} name={name} /> : <LongText text={text} label={name} />}
    </div>
  );
}

/** `null`: reading it takes more stack than there is. */
function tryRender(text: string): DocumentFragment | null {
  try {
    return renderMarkdown(text);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function Rendered({ nodes, name }: { nodes: DocumentFragment; name: string }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // A copy: the form may be chosen again.
    element.current?.replaceChildren(nodes.cloneNode(true));
  }, [nodes]);
  return <div ref={element} class="markdown" tabIndex={0} role="region" aria-label={name} dir="auto" />;
}
