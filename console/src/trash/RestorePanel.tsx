import { Link } from 'wouter-preact';
import { Button, IconButton } from '../components/Button';
import { Icon } from '../components/Icon';
import { Name } from '../components/Name';
import { ErrorState } from '../components/States';
import { countOf, formatBytes, formatCount, formatDuration } from '../lib/format';
import { kindIcon } from '../lib/kinds';
import { routeOf } from '../lib/routes';
import { timeLeft, type Rate, type Totals } from './progress';
import type { Outcome, RestoreJob } from './restore';
import './RestorePanel.css';

/** A restore as it goes on, and what came of it. */
export function RestorePanel({ job, onClose }: { job: RestoreJob; onClose: () => void }) {
  const totals = job.totals.value;
  const finished = totals?.stage === 'finished';
  return (
    <section class="restore-panel" aria-labelledby="restore-title">
      <header>
        <h2 id="restore-title" role="status">
          {titleOf(totals)}
        </h2>
        <IconButton icon="close" label={finished ? 'Close' : 'Hide: the restore goes on'} onClick={onClose} />
      </header>
      <Bar totals={totals} />
      {totals && <Numbers totals={totals} rate={job.rate.value} />}
      {job.error.value !== null && (
        <div class="restore-error">
          <ErrorState error={job.error.value} />
          <Button onClick={() => void job.follow()}>Follow again</Button>
        </div>
      )}
      {totals && totals.failed.length > 0 && <Failures job={job} totals={totals} />}
      {job.refused.length > 0 && <Refused job={job} />}
      {job.outcomes.value && <Outcomes dataset={job.dataset} outcomes={job.outcomes.value} />}
    </section>
  );
}

const STAGES: Record<Totals['stage'], string> = {
  queued: 'Waiting for its turn',
  running: 'Restoring',
  waiting: 'Waiting for another restore, or for the storage',
  finished: 'Restored',
};

function titleOf(totals: Totals | null): string {
  if (!totals) return 'Ordering the restore';
  if (totals.stage !== 'finished') return STAGES[totals.stage];
  if (totals.restored === 0 && totals.failures > 0) return 'Nothing could be restored';
  return totals.failures > 0 ? 'Restored, but not all of it' : 'Restored';
}

function Bar({ totals }: { totals: Totals | null }) {
  const done = totals ? totals.restored + totals.failures : 0;
  const finished = totals?.stage === 'finished';
  // An order of an empty folder has nothing to count.
  const max = Math.max(1, totals?.total ?? 1);
  const value = finished ? max : done;
  return (
    <progress
      class={finished ? 'restore-done' : ''}
      aria-label="Restored"
      max={max}
      value={totals?.total ? value : finished ? 1 : 0}
    />
  );
}

function Numbers({ totals, rate }: { totals: Totals; rate: Rate | null }) {
  const left = timeLeft(totals, rate);
  const of = totals.total === null ? '' : ` of ${formatCount(totals.total)}`;
  return (
    <dl class="restore-numbers">
      <div>
        <dt>Packages</dt>
        <dd>{`${formatCount(totals.restored)}${of}`}</dd>
      </div>
      <div>
        <dt>Bytes</dt>
        <dd>{formatBytes(totals.bytes)}</dd>
      </div>
      <div>
        <dt>Rate</dt>
        <dd>{rate ? `${formatCount(Math.round(rate.packages))}/s, ${formatBytes(rate.bytes)}/s` : '–'}</dd>
      </div>
      <div>
        <dt>{totals.stage === 'finished' ? 'Failed' : 'Time left'}</dt>
        <dd>
          {totals.stage === 'finished'
            ? formatCount(totals.failures)
            : left === null
              ? '–'
              : formatDuration(left)}
        </dd>
      </div>
    </dl>
  );
}

function Failures({ job, totals }: { job: RestoreJob; totals: Totals }) {
  const names = new Map(job.preview?.packages.map(({ id, name }) => [id, name]));
  return (
    <div class="restore-list">
      <h3>{countOf(totals.failures, 'package')} stay in the trash</h3>
      <ul>
        {totals.failed.slice(0, 100).map(({ id, reason }) => (
          <li key={id}>
            <Icon name="alert" size={16} />
            <span>
              <Name name={names.get(id) ?? id} />: <span class="muted">{reason}</span>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Refused({ job }: { job: RestoreJob }) {
  return (
    <div class="restore-list">
      <h3>{countOf(job.refused.length, 'package')} could not be ordered</h3>
      <ul>
        {job.refused.map(({ id, error }) => (
          <li key={id}>
            <Icon name="alert" size={16} />
            <span>
              <code>{id}</code>: <span class="muted">{error}</span>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Outcomes({ dataset, outcomes }: { dataset: string; outcomes: Outcome[] }) {
  if (outcomes.length === 0) return null;
  return (
    <div class="restore-list">
      <h3>Where it is now</h3>
      <ul>
        {outcomes.map((outcome) => (
          <li key={outcome.id}>
            <Icon name={kindIcon({ kind: outcome.kind, name: outcome.newName })} size={16} />
            <span>
              {outcome.oldName !== null && outcome.oldName !== outcome.newName && (
                <>
                  <s>
                    <Name name={outcome.oldName} />
                  </s>
                  <Icon name="arrowRight" size={14} label="is now" />
                </>
              )}
              <Link href={routeOf(dataset, outcome)}>
                <Name name={outcome.newName} />
              </Link>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
