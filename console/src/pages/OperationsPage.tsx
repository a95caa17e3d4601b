import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { requestJson, wasAborted } from '../api/client';
import { ApiError } from '../api/problem';
import { Button } from '../components/Button';
import { EmptyState, ErrorState, Notice, Skeleton } from '../components/States';
import { formatDuration } from '../lib/format';
import { useTitle } from '../lib/useTitle';
import { Doctor } from '../operations/Doctor';
import { addMoment, momentOf, type Moment } from '../operations/metrics';
import { Figures, Latencies, Links, Refusals, Restores, SigningKey } from '../operations/Panels';
import type { OperationsReport } from '../operations/report';
import { currentSettings } from '../settings';
import './OperationsPage.css';

const KEY = 'packages-service.operator';
const PAUSE = 2000;

/** The operators' token of `serve`, for this tab. `dev` needs none. */
const token = signal(readToken());

function readToken(): string {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

function keepToken(value: string): void {
  token.value = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // Without storage the token is asked for after a reload.
  }
}

/** What the metrics know, what waits, and whether all is well. */
export function OperationsPage() {
  useTitle('Operations');
  const { mode, operator } = currentSettings();
  if (!operator) {
    return (
      <EmptyState icon="lock" title="There is no page for operators here">
        Set CONSOLE_OPERATOR_TOKEN where the service runs, and restart it.
      </EmptyState>
    );
  }
  const headers: Record<string, string> = token.value ? { authorization: `Bearer ${token.value}` } : {};
  return mode === 'serve' && !token.value ? (
    <TokenForm refused={false} />
  ) : (
    <Live key={token.value} headers={headers} />
  );
}

function Live({ headers }: { headers: Record<string, string> }) {
  const { report, moments, error, retry } = useReports(headers);
  if (error instanceof ApiError && error.status === 401) return <TokenForm refused />;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Operations</h1>
        {report && (
          <span class="muted">{`Version ${report.version}, up for ${formatDuration(report.uptime_seconds)}. Counted since the start.`}</span>
        )}
      </div>
      {error !== null && report && (
        <Notice tone="warn">The numbers are old: the service does not answer. Trying again.</Notice>
      )}
      {report ? (
        <div class="panels">
          <Figures moments={moments} />
          <Links report={report} />
          <Refusals report={report} />
          <Restores report={report} />
          <SigningKey report={report} />
          <Latencies report={report} />
          <Doctor headers={headers} />
        </div>
      ) : error ? (
        <ErrorState error={error} retry={retry} />
      ) : (
        <Skeleton lines={10} label="Loading the numbers" />
      )}
    </div>
  );
}

/** Asks every two seconds, while the page is in sight. */
function useReports(headers: Record<string, string>) {
  const [report, setReport] = useState<OperationsReport | null>(null);
  const [moments, setMoments] = useState<Moment[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const authorization = headers.authorization;
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      try {
        const known: Record<string, string> = authorization ? { authorization } : {};
        const next = await requestJson<OperationsReport>('/console/operations', {
          headers: known,
          signal: controller.signal,
        });
        setReport(next);
        setMoments((before) => addMoment(before, momentOf(next, performance.now() / 1000)));
        setError(null);
      } catch (cause) {
        if (wasAborted(cause)) return;
        setError(cause);
        if (cause instanceof ApiError && (cause.status === 401 || cause.status === 403)) return;
      }
      timer = setTimeout(next, PAUSE);
    };
    const next = () => (document.hidden ? (timer = setTimeout(next, PAUSE)) : void ask());
    void ask();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [authorization, attempt]);
  return { report, moments, error, retry: () => setAttempt((before) => before + 1) };
}

function TokenForm({ refused }: { refused: boolean }) {
  const [typed, setTyped] = useState('');
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed.trim()) keepToken(typed.trim());
  };
  return (
    <form class="page sign-in" onSubmit={submit}>
      <div class="sign-in-head">
        <h1>Operations</h1>
        <p class="muted">
          For whoever runs the service. The token is CONSOLE_OPERATOR_TOKEN; it stays in this tab.
        </p>
      </div>
      <div class="card sign-in-card">
        <label for="operator-token">Operators' token</label>
        <input
          id="operator-token"
          class="field"
          type="password"
          autocomplete="off"
          value={typed}
          aria-invalid={refused}
          aria-describedby="operator-help"
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <p
          id="operator-help"
          class={refused ? 'field-problem' : 'visually-hidden'}
          role={refused ? 'alert' : undefined}
        >
          {refused ? 'The service refused this token.' : 'It is sent to this service only.'}
        </p>
        <div>
          <Button type="submit" look="primary" disabled={typed.trim() === ''}>
            Show the numbers
          </Button>
        </div>
      </div>
    </form>
  );
}
