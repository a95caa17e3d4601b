import { useEffect, useState } from 'preact/hooks';
import { requestJson, wasAborted } from '../api/client';
import { ApiError } from '../api/problem';
import { Button } from '../components/Button';
import { EmptyState, ErrorState, Notice, Skeleton } from '../components/States';
import { formatDuration } from '../lib/format';
import { useTitle } from '../lib/useTitle';
import { Doctor } from '../operations/Doctor';
import { addMoment, momentOf, type Moment } from '../operations/metrics';
import { OperatorForm } from '../operations/OperatorForm';
import { Figures, Latencies, Links, Refusals, Restores, SigningKey } from '../operations/Panels';
import type { OperationsReport } from '../operations/report';
import { forgetOperatorToken, operatorToken } from '../operations/token';
import { currentSettings } from '../settings';
import './OperationsPage.css';

const PAUSE = 2000;

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
  return mode === 'serve' ? <Guarded /> : <Live />;
}

/** In `serve`, whoever has the operators' token sees the numbers. */
function Guarded() {
  const [refused, setRefused] = useState(false);
  const token = operatorToken.value;
  if (!token) return <OperatorForm refused={refused} />;
  return (
    <Live
      key={token}
      token={token}
      onRefused={() => {
        setRefused(true);
        forgetOperatorToken();
      }}
    />
  );
}

function Live({ token, onRefused }: { token?: string; onRefused?: () => void }) {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const { report, moments, error, retry } = useReports(headers);
  const refused = error instanceof ApiError && error.status === 401;
  useEffect(() => {
    if (refused) onRefused?.();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once
  }, [refused]);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Operations</h1>
        <div class="operations-since">
          {report && (
            <span class="muted">{`Version ${report.version}, up for ${formatDuration(report.uptime_seconds)}. Counted since the start.`}</span>
          )}
          {token && (
            <Button small icon="signOut" onClick={forgetOperatorToken}>
              Forget the token
            </Button>
          )}
        </div>
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
