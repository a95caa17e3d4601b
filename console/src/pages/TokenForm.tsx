import { useRef, useState } from 'preact/hooks';
import { requestJson } from '../api/client';
import { ApiError } from '../api/problem';
import { Button } from '../components/Button';
import { describeError } from '../components/States';
import { cleanToken, faultOfToken } from '../lib/token';
import { sessionOfToken, type Session } from '../session';
import { currentSettings } from '../settings';

const HELP =
  "An access token of the platform's user pool, or of an API key. It is sent to this service only.";

/** Asks for a token, and lets the service check it before anybody is signed in. */
export function TokenForm(props: { class: string; enter: (session: Session) => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [pasted, setPasted] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const token = cleanToken(pasted);
    const fault = faultOfToken(token) ?? (await askService(token));
    setBusy(false);
    if (fault === null) return props.enter(sessionOfToken(token, 'pasted'));
    setProblem(fault);
    field.current?.focus();
  };
  return (
    <form class={props.class} onSubmit={(event) => void submit(event)} noValidate>
      <label for="token">Access token</label>
      <textarea
        id="token"
        ref={field}
        rows={4}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        placeholder="eyJ…"
        aria-describedby="token-help"
        aria-invalid={problem !== ''}
        value={pasted}
        onInput={(event) => {
          setPasted(event.currentTarget.value);
          setProblem('');
        }}
        onKeyDown={submitByEnter}
      />
      <p
        id="token-help"
        class={problem ? 'field-problem' : 'sign-in-help'}
        role={problem ? 'alert' : undefined}
      >
        {problem || HELP}
      </p>
      <div>
        <Button type="submit" look={currentSettings().login ? 'plain' : 'primary'} busy={busy}>
          Sign in
        </Button>
      </div>
    </form>
  );
}

/** A token has one line. */
function submitByEnter(event: KeyboardEvent): void {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  (event.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
}

/** Why the service refuses the token, in a sentence; null if it does not. */
async function askService(token: string): Promise<string | null> {
  const headers = { authorization: `Bearer ${token}` };
  try {
    await requestJson(`${currentSettings().api}/datasets`, { headers, query: { limit: 1 } });
    return null;
  } catch (error) {
    const { title, detail } = describeError(error);
    const refused = error instanceof ApiError && error.status === 401;
    return `${refused ? 'The service refuses this token' : title}: ${detail}.`.replace(/\.\.$/, '.');
  }
}
