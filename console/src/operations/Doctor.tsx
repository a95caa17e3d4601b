import { useState } from 'preact/hooks';
import { requestJson } from '../api/client';
import { Button } from '../components/Button';
import { Icon, type IconName } from '../components/Icon';
import { ErrorState } from '../components/States';
import { countOf } from '../lib/format';
import type { DoctorCheck, DoctorReport } from './report';
import './Doctor.css';

/** The doctor opens connections of its own, and waits for some of them. */
const TIMEOUT = 120_000;

const LOOKS: Record<DoctorCheck['status'], { icon: IconName; text: string }> = {
  ok: { icon: 'check', text: 'ok' },
  skipped: { icon: 'minus', text: 'skipped' },
  warning: { icon: 'alert', text: 'warning' },
  failure: { icon: 'close', text: 'failure' },
};

/** Compares what the service was told with what is there. It changes nothing. */
export function Doctor({ headers }: { headers: Record<string, string> }) {
  const [report, setReport] = useState<DoctorReport | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const examine = async () => {
    setBusy(true);
    setFailure(null);
    try {
      setReport(
        await requestJson<DoctorReport>('/console/doctor', { method: 'POST', headers, timeout: TIMEOUT }),
      );
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  return (
    <section class="card panel panel-wide" aria-labelledby="doctor">
      <header>
        <h2 id="doctor">Doctor</h2>
        <Button small icon="shield" busy={busy} onClick={() => void examine()}>
          {report ? 'Check again' : 'Check everything'}
        </Button>
      </header>
      {failure !== null && <ErrorState error={failure} />}
      <p class="muted" role="status">
        {report
          ? summaryOf(report)
          : 'Compares variables, network, database, buckets, signing key, queues, user pools and clock with what is there.'}
      </p>
      {report && (
        <div class="doctor">
          {report.sections.map(({ title, checks }) => (
            <section key={title}>
              <h3>{title}</h3>
              <ul>
                {checks.map((check, index) => (
                  <Check key={index} check={check} />
                ))}
              </ul>
            </section>
          ))}
        </div>
      )}
    </section>
  );
}

function Check({ check }: { check: DoctorCheck }) {
  const { icon, text } = LOOKS[check.status];
  return (
    <li class={`check check-${check.status}`}>
      <Icon name={icon} size={16} label={text} />
      <div>
        <strong>{check.name}</strong> <span class="muted">{check.found}</span>
        {check.advice && <p>{check.advice}</p>}
      </div>
    </li>
  );
}

function summaryOf(report: DoctorReport): string {
  const checks = report.sections.flatMap((section) => section.checks);
  const count = (status: DoctorCheck['status']) => checks.filter((check) => check.status === status).length;
  const parts = [
    count('failure') > 0 && countOf(count('failure'), 'failure'),
    count('warning') > 0 && countOf(count('warning'), 'warning'),
    `${count('ok')} ok`,
    count('skipped') > 0 && `${count('skipped')} skipped`,
  ];
  return parts.filter(Boolean).join(', ');
}
