import type { ComponentChildren } from 'preact';
import { ApiError } from '../api/problem';
import { Button } from './Button';
import { Icon, type IconName } from './Icon';
import './States.css';

/** Nothing is here, and what to do about it. */
export function EmptyState(props: {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
  action?: ComponentChildren;
}) {
  return (
    <div class="state">
      <Icon name={props.icon} size={30} />
      <h2>{props.title}</h2>
      {props.children && <p>{props.children}</p>}
      {props.action && <div class="state-action">{props.action}</div>}
    </div>
  );
}

/** Something failed: what, what to do, and the request's id for whoever looks into it. */
export function ErrorState({
  error,
  retry,
  action,
}: {
  error: unknown;
  retry?: () => void;
  action?: ComponentChildren;
}) {
  const { title, detail, advice, requestId } = describeError(error);
  return (
    <div class="state state-error" role="alert">
      <Icon name="alert" size={30} />
      <h2>{title}</h2>
      {detail && detail !== title && <p>{detail}</p>}
      {advice && <p>{advice}</p>}
      {(retry ?? action) && (
        <div class="state-action">
          {retry && (
            <Button icon="refresh" onClick={retry}>
              Try again
            </Button>
          )}
          {action}
        </div>
      )}
      {requestId && (
        <p class="state-request">
          Request <code>{requestId}</code>
        </p>
      )}
    </div>
  );
}

export function describeError(error: unknown) {
  if (error instanceof ApiError) {
    return {
      title: error.title,
      detail: error.detail,
      advice: adviceOn(error),
      requestId: error.requestId,
    };
  }
  const detail = error instanceof Error ? error.message : '';
  return { title: 'Something went wrong', detail, advice: '', requestId: null };
}

function adviceOn(error: ApiError): string {
  if (error.kind === 'unsafe-file')
    return 'Its malware scan did not pass. The owner of the dataset can tell more.';
  if (error.kind === 'archived') return 'Somebody has to restore the object in S3 first.';
  if (error.status === 403) return 'Ask the owner of the dataset for a role in it.';
  if (error.status === 404)
    return 'It may have been deleted: look in the trash. Or the link to it is incomplete.';
  if (error.status === 503) return `It is busy or restarting. Try again in ${error.retryAfter ?? 5} seconds.`;
  if (error.status === 500) return 'This is a fault of the service. Report it with the id below.';
  return '';
}

/** Lines that stand for what is being loaded, of the same height as it. */
export function Skeleton({ lines = 3, label = 'Loading' }: { lines?: number; label?: string }) {
  return (
    <div class="skeleton" role="status">
      <span class="visually-hidden">{label}…</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class="skeleton-line" />
      ))}
    </div>
  );
}

/** A remark within a page. */
export function Notice(props: {
  tone?: 'info' | 'ok' | 'warn' | 'danger';
  icon?: IconName;
  children: ComponentChildren;
}) {
  const tone = props.tone ?? 'info';
  const icons: Record<string, IconName> = { info: 'info', ok: 'check', warn: 'alert', danger: 'alert' };
  return (
    <div class={`notice notice-${tone}`} role={tone === 'danger' ? 'alert' : undefined}>
      <Icon name={props.icon ?? icons[tone] ?? 'info'} />
      <div>{props.children}</div>
    </div>
  );
}

/** A short word about a state. Its text says it too: colour is never alone. */
export function Badge({
  tone = 'plain',
  children,
}: {
  tone?: 'plain' | 'accent' | 'ok' | 'warn' | 'danger';
  children: ComponentChildren;
}) {
  return <span class={`badge badge-${tone}`}>{children}</span>;
}
