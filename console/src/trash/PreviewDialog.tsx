import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { OrderResponse, PreviewedPackage, RestorePreview } from '../api/types';
import { Button } from '../components/Button';
import { Dialog } from '../components/Dialog';
import { Icon } from '../components/Icon';
import { Name } from '../components/Name';
import { ErrorState, Notice, Skeleton } from '../components/States';
import { countOf, formatBytes } from '../lib/format';
import { kindIcon } from '../lib/kinds';
import { useLoad } from '../lib/useLoad';
import { orderRestore, previewRestore } from './restore';
import './PreviewDialog.css';

interface PreviewDialogProps {
  dataset: string;
  ids: string[];
  onClose: () => void;
  onOrdered: (order: OrderResponse, preview: RestorePreview) => void;
}

/** What a restore would bring back, under which names, and what is lost: before anything changes. */
export function PreviewDialog({ dataset, ids, onClose, onOrdered }: PreviewDialogProps) {
  const { data, error, reload } = useLoad(`preview ${ids.join()}`, (signal) =>
    previewRestore(dataset, ids, signal),
  );
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const restore = async (preview: RestorePreview) => {
    setBusy(true);
    setFailure(null);
    try {
      onOrdered(await orderRestore(dataset, ids), preview);
    } catch (cause) {
      setFailure(cause);
      setBusy(false);
    }
  };
  const possible = data && data.total > lostOf(data).length;
  const actions = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      {data && possible && (
        <Button look="primary" icon="history" busy={busy} onClick={() => void restore(data)}>
          {`Restore ${countOf(data.total - lostOf(data).length, 'package')}`}
        </Button>
      )}
    </>
  );
  return (
    <Dialog title="Before you restore" onClose={onClose} actions={actions}>
      {failure !== null && <ErrorState error={failure} />}
      {error ? (
        <ErrorState error={error} retry={reload} />
      ) : data ? (
        <Preview preview={data} />
      ) : (
        <Skeleton lines={5} label="Asking what would come back" />
      )}
    </Dialog>
  );
}

function lostOf(preview: RestorePreview): PreviewedPackage[] {
  return preview.packages.filter(({ lost }) => lost);
}

function Preview({ preview }: { preview: RestorePreview }) {
  const lost = lostOf(preview);
  const renamed = preview.packages.filter(({ new_name, lost: reason }) => new_name && !reason);
  const others = preview.packages.filter(({ new_name, lost: reason }) => !new_name && !reason);
  const hidden = preview.total - preview.packages.length;
  return (
    <>
      <p>
        {preview.total === 0
          ? 'Nothing can come back.'
          : `${countOf(preview.total, 'package')} with ${formatBytes(preview.bytes)} would come back to where they were.`}
      </p>
      {preview.failures.length > 0 && (
        <Group tone="danger" title={`${countOf(preview.failures.length, 'package')} cannot be ordered`}>
          {preview.failures.map(({ id, error }) => (
            <li key={id}>
              <code>{id}</code> <span class="muted">{error}</span>
            </li>
          ))}
        </Group>
      )}
      {lost.length > 0 && (
        <Group tone="danger" title={`${countOf(lost.length, 'package')} would stay in the trash`}>
          {lost.map((item) => (
            <Item key={item.id} item={item} />
          ))}
        </Group>
      )}
      {renamed.length > 0 && (
        <Group
          tone="warn"
          title={`${countOf(renamed.length, 'package')} would get a new name: the old one is taken`}
        >
          {renamed.map((item) => (
            <Item key={item.id} item={item} />
          ))}
        </Group>
      )}
      {others.length > 0 && (
        <Group
          title={renamed.length + lost.length > 0 ? 'The others keep their names' : 'All keep their names'}
        >
          {others.map((item) => (
            <Item key={item.id} item={item} />
          ))}
          {hidden > 0 && <li class="muted">and {countOf(hidden, 'package')} more</li>}
        </Group>
      )}
    </>
  );
}

function Group(props: { title: string; tone?: 'warn' | 'danger'; children: ComponentChildren }) {
  return (
    <section class="preview-group">
      {props.tone ? <Notice tone={props.tone}>{props.title}</Notice> : <h3>{props.title}</h3>}
      <ul class="preview-list" tabIndex={0} aria-label={props.title}>
        {props.children}
      </ul>
    </section>
  );
}

function Item({ item }: { item: PreviewedPackage }) {
  return (
    <li>
      <Icon name={kindIcon(item)} size={16} />
      <span>
        <Name name={item.name} />
        {item.new_name && (
          <>
            <Icon name="arrowRight" size={14} label="becomes" />
            <strong>
              <Name name={item.new_name} />
            </strong>
          </>
        )}
        {item.lost && <span class="preview-reason">{item.lost}</span>}
      </span>
    </li>
  );
}
