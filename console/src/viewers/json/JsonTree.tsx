import { useState } from 'preact/hooks';
import { formatCount } from '../../lib/format';

const AT_ONCE = 200;
const OPEN_CHILDREN = 24;
const OPEN_DEPTH = 2;

/** A value with what is in it, opened and closed as in a browser's own tools. */
export function JsonTree({ value, label }: { value: unknown; label: string }) {
  return (
    <div class="json-tree" tabIndex={0} role="region" aria-label={label}>
      <Children value={value} depth={0} />
    </div>
  );
}

function entriesOf(value: unknown): [string, unknown][] {
  if (Array.isArray(value)) return value.map((item, index) => [String(index), item as unknown]);
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function Children({ value, depth }: { value: unknown; depth: number }) {
  const [count, setCount] = useState(AT_ONCE);
  if (typeof value !== 'object' || value === null) return <Scalar value={value} />;
  const entries = entriesOf(value);
  return (
    <ul>
      {entries.slice(0, count).map(([name, child]) => (
        <li key={name}>
          <Entry name={name} value={child} depth={depth} indexed={Array.isArray(value)} />
        </li>
      ))}
      {entries.length > count && (
        <li>
          <button type="button" class="text-button" onClick={() => setCount(count + AT_ONCE * 5)}>
            {formatCount(entries.length - count)} more
          </button>
        </li>
      )}
    </ul>
  );
}

function Entry(props: { name: string; value: unknown; depth: number; indexed: boolean }) {
  const { name, value, depth, indexed } = props;
  const children = entriesOf(value);
  const [open, setOpen] = useState(depth < OPEN_DEPTH && children.length <= OPEN_CHILDREN);
  const title = <bdi class={indexed ? 'json-index' : 'json-name'}>{name}</bdi>;
  if (children.length === 0) {
    return (
      <span class="json-leaf">
        {title}: <Scalar value={value} />
      </span>
    );
  }
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {title}{' '}
        <span class="json-count">
          {Array.isArray(value) ? `[${formatCount(children.length)}]` : `{${formatCount(children.length)}}`}
        </span>
      </summary>
      {open && <Children value={value} depth={depth + 1} />}
    </details>
  );
}

function Scalar({ value }: { value: unknown }) {
  if (typeof value === 'string') return <bdi class="json-text">“{value}”</bdi>;
  if (Array.isArray(value)) return <span class="json-count">[ ]</span>;
  if (typeof value === 'object' && value !== null) return <span class="json-count">{'{ }'}</span>;
  return <span class="json-value">{String(value)}</span>;
}
