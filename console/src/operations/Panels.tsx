import type { ComponentChildren } from 'preact';
import { Badge, Notice } from '../components/States';
import { countOf, formatBytes, formatCount, formatDuration, formatRelative } from '../lib/format';
import { Bars, Histogram, Sparkline } from './charts';
import { bucketCounts, countBy, quantile, ratesOf, type Moment } from './metrics';
import type { Latency, OperationsReport, UnfinishedRestore } from './report';

function Panel({ title, wide, children }: { title: string; wide?: boolean; children: ComponentChildren }) {
  return (
    <section class={`card panel ${wide ? 'panel-wide' : ''}`}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** What has happened since the start, and what happens now. */
export function Figures({ moments }: { moments: Moment[] }) {
  const last = moments.at(-1);
  const kinds = [
    { of: 'requests', title: 'Requests' },
    { of: 'links', title: 'Links' },
    { of: 'refusals', title: 'Refusals' },
  ] as const;
  return (
    <div class="figures">
      {kinds.map(({ of, title }) => {
        const rates = ratesOf(moments, of);
        const now = rates.at(-1);
        const rate = now === undefined ? '–' : `${now.toFixed(now >= 10 || now === 0 ? 0 : 1)} a second`;
        return (
          <section key={of} class="card figure">
            <h2>{title}</h2>
            <p class="figure-number">{formatCount(last?.[of] ?? 0)}</p>
            <p class="muted">{rate}</p>
            <Sparkline values={rates} label={`${title} a second since this page was opened, now ${rate}`} />
          </section>
        );
      })}
    </div>
  );
}

const KINDS: Record<string, string> = {
  'source-file': 'S3, source files',
  'viewer-asset': 'S3, viewer assets',
  'cdn-asset': 'CloudFront, single assets',
  'cdn-directory': 'CloudFront, directories',
};

export function Links({ report }: { report: OperationsReport }) {
  return (
    <Panel title="Links by kind">
      <Bars
        items={countBy(report.links, ({ kind }) => KINDS[kind] ?? kind)}
        none="No link has been made since the start."
      />
    </Panel>
  );
}

export function Refusals({ report }: { report: OperationsReport }) {
  return (
    <Panel title="Refusals by reason">
      <Bars
        items={countBy(report.refusals, ({ reason }) => reason)}
        none="No request has been refused since the start."
      />
    </Panel>
  );
}

export function Latencies({ report }: { report: OperationsReport }) {
  const latencies = report.latencies.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  return (
    <Panel title="Time until the response begins" wide>
      {latencies.length === 0 ? (
        <p class="muted">No request has been answered since the start.</p>
      ) : (
        <div class="table-scroll" tabIndex={0} role="region" aria-label="Latencies by route">
          <table class="figures-table">
            <thead>
              <tr>
                <th scope="col">Route</th>
                <th scope="col" class="number">
                  Requests
                </th>
                <th scope="col" class="number">
                  Half within
                </th>
                <th scope="col" class="number">
                  95 % within
                </th>
                <th scope="col" class="number">
                  99 % within
                </th>
                <th scope="col">Distribution</th>
              </tr>
            </thead>
            <tbody>
              {latencies.map((latency) => (
                <LatencyRow key={latency.route} latency={latency} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function LatencyRow({ latency }: { latency: Latency }) {
  return (
    <tr>
      <th scope="row">
        <code>{latency.route}</code>
      </th>
      <td class="number">{formatCount(latency.count)}</td>
      {[0.5, 0.95, 0.99].map((share) => {
        const time = quantile(latency, share);
        return (
          <td key={share} class="number">
            {time === null ? '–' : formatDuration(time)}
          </td>
        );
      })}
      <td>
        <Histogram
          counts={bucketCounts(latency)}
          bounds={latency.buckets.map(({ le_seconds }) => le_seconds)}
        />
      </td>
    </tr>
  );
}

export function Restores({ report }: { report: OperationsReport }) {
  const { restores } = report;
  if (!restores) {
    return (
      <Panel title="Restores">
        <Notice tone="danger">The database does not answer. The doctor below tells more.</Notice>
      </Panel>
    );
  }
  const { queue, unfinished } = restores;
  return (
    <Panel title="Restores">
      <p>
        {queue.datasets === 0
          ? 'The queue is empty.'
          : `${countOf(queue.datasets, 'dataset')} in the queue, ${formatCount(queue.running)} running.`}
      </p>
      {unfinished.length > 0 && (
        <ul class="unfinished">
          {unfinished.map((restore) => (
            <Unfinished key={`${restore.workspace_id} ${restore.dataset_id}`} restore={restore} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Unfinished({ restore }: { restore: UnfinishedRestore }) {
  const done = restore.restored + restore.failed;
  return (
    <li>
      <div class="unfinished-head">
        <strong>
          Dataset {restore.dataset_id} of workspace {restore.workspace_id}
        </strong>
        <Badge
          tone={restore.status === 'running' ? 'accent' : restore.status === 'unqueued' ? 'danger' : 'plain'}
        >
          {restore.status}
        </Badge>
      </div>
      <progress max={Math.max(1, restore.total)} value={done} aria-label="Restored" />
      <p class="muted">
        {`${formatCount(restore.restored)} of ${formatCount(restore.total)}, ${formatBytes(restore.bytes)}`}
        {restore.failed > 0 && `, ${formatCount(restore.failed)} failed`}
        {`. Ordered ${formatRelative(restore.since)}`}
        {restore.attempts > 1 && `, attempt ${restore.attempts}`}
        {restore.due_in_seconds ? `, goes on in ${formatDuration(restore.due_in_seconds)}` : ''}
      </p>
    </li>
  );
}

export function SigningKey({ report }: { report: OperationsReport }) {
  const key = report.signing_key;
  return (
    <Panel title="Signing key">
      {key ? (
        <>
          <dl class="key-facts">
            <div>
              <dt>Id</dt>
              <dd>
                <code>{key.id}</code>
              </dd>
            </div>
            <div>
              <dt>Age</dt>
              <dd>{key.age_seconds === null ? 'unknown' : formatDuration(key.age_seconds)}</dd>
            </div>
          </dl>
          {key.warning && <Notice tone="warn">{key.warning}</Notice>}
        </>
      ) : (
        <p class="muted">No key is loaded: the first link to the CDN loads it.</p>
      )}
    </Panel>
  );
}
