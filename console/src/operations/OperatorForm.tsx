import { useRef, useState } from 'preact/hooks';
import { requestJson } from '../api/client';
import { ApiError } from '../api/problem';
import { Button } from '../components/Button';
import { describeError } from '../components/States';
import type { OperationsReport } from './report';
import { keepOperatorToken } from './token';

/** Asks for the operators' token, and keeps it only if it is the one. `refused`: the service no longer accepts the last. */
export function OperatorForm({ refused }: { refused: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState(
    refused ? 'The service no longer accepts the token that you gave.' : '',
  );
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const token = typed.trim();
    const fault = await faultOfToken(token);
    setBusy(false);
    if (fault === null) return keepOperatorToken(token);
    setProblem(fault);
    field.current?.focus();
  };
  return (
    <form class="page sign-in" onSubmit={(event) => void submit(event)} noValidate>
      <div class="sign-in-head">
        <h1>Operations</h1>
        <p class="muted">
          For whoever runs the service. The token is its variable CONSOLE_OPERATOR_TOKEN; it stays in this
          tab.
        </p>
      </div>
      <div class="card sign-in-card">
        <label for="operator-token">Operators' token</label>
        <input
          id="operator-token"
          ref={field}
          class="field"
          type="password"
          autocomplete="off"
          value={typed}
          aria-invalid={problem !== ''}
          aria-describedby="operator-help"
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setProblem('');
          }}
        />
        <p
          id="operator-help"
          class={problem ? 'field-problem' : 'sign-in-help'}
          role={problem ? 'alert' : undefined}
        >
          {problem || 'It is sent to this service only, and opens nothing else.'}
        </p>
        <div>
          <Button type="submit" look="primary" busy={busy}>
            Show the numbers
          </Button>
        </div>
      </div>
    </form>
  );
}

/** Why this is not the token, in a sentence; null if it is. */
async function faultOfToken(token: string): Promise<string | null> {
  if (token === '') return 'Type or paste the token first.';
  // A header has no other characters (RFC 9110, section 5.5), and the token has no blanks.
  if (!/^[\x21-\x7e]+$/.test(token)) return "This is not the operators' token.";
  try {
    await requestJson<OperationsReport>('/console/operations', {
      headers: { authorization: `Bearer ${token}` },
    });
    return null;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return "This is not the operators' token.";
    const { title, detail } = describeError(error);
    return `${title}. ${detail}`.trim();
  }
}
