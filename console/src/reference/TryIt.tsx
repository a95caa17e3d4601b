import { useState } from 'preact/hooks';
import { Button } from '../components/Button';
import { CodeBlock } from '../components/CodeBlock';
import { Notice } from '../components/States';
import { formatBytes, formatDuration } from '../lib/format';
import { session } from '../session';
import type { Operation, Parameter } from './document';
import { addressOf, headersOf, type Filled } from './request';
import { typeText, type ApiDocument } from './document';

interface TryItProps {
  document: ApiDocument;
  base: string;
  operation: Operation;
  filled: Filled;
  onFill: (filled: Filled) => void;
}

/** Sends the request as the person who is signed in. */
export function TryIt({ document, base, operation, filled, onFill }: TryItProps) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setAnswer(await ask(base, operation, filled));
    setBusy(false);
  };
  const setValue = (name: string, value: string) =>
    onFill({ ...filled, values: { ...filled.values, [name]: value } });
  const needed = operation.parameters.filter(({ in: place }) => place !== 'header');
  const headers = operation.parameters.filter(({ in: place }) => place === 'header');
  const field = (parameter: Parameter) => (
    <Field
      key={parameter.name}
      id={`${operation.id}-${parameter.name}`}
      parameter={parameter}
      hint={typeText(document, parameter.schema)}
      value={filled.values[parameter.name] ?? ''}
      onInput={(value) => setValue(parameter.name, value)}
    />
  );
  return (
    <form class="try" onSubmit={(event) => void send(event)} noValidate aria-label={`Try ${operation.id}`}>
      {operation.needsToken && !session.value && (
        <Notice tone="warn">
          Nobody is signed in: the service will refuse this. Choose a user under Datasets.
        </Notice>
      )}
      {needed.map(field)}
      {headers.length > 0 && (
        <details>
          <summary>Headers</summary>
          {headers.map(field)}
        </details>
      )}
      {operation.body && (
        <label class="try-body">
          <span>Body</span>
          <textarea
            rows={6}
            spellcheck={false}
            value={filled.body}
            onInput={(event) => onFill({ ...filled, body: event.currentTarget.value })}
          />
        </label>
      )}
      <div>
        <Button type="submit" small look="primary" icon="send" busy={busy}>
          {`Send as ${session.value ? (session.value.name.split('@')[0] ?? '') : 'nobody'}`}
        </Button>
      </div>
      <div role="status">{answer && <AnswerView answer={answer} />}</div>
    </form>
  );
}

interface FieldProps {
  id: string;
  parameter: Parameter;
  hint: string;
  value: string;
  onInput: (value: string) => void;
}

function Field({ id, parameter, hint, value, onInput }: FieldProps) {
  const options = parameter.schema?.enum;
  return (
    <div class="try-field">
      <label for={id}>
        {parameter.name}
        {parameter.required && <span class="try-required"> required</span>}
      </label>
      {options ? (
        <select id={id} class="field" value={value} onChange={(event) => onInput(event.currentTarget.value)}>
          <option value="">not sent</option>
          {options.map((option) => (
            <option key={String(option)} value={String(option)}>
              {String(option)}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          class="field"
          value={value}
          placeholder={hint}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
    </div>
  );
}

interface Answer {
  status: string;
  ok: boolean;
  seconds: number;
  bytes: number;
  headers: [string, string][];
  body: string;
}

/** What is shown of a long body. */
const MAX_SHOWN = 20_000;

async function ask(base: string, operation: Operation, filled: Filled): Promise<Answer> {
  const token = session.value?.token;
  const started = performance.now();
  try {
    const response = await fetch(addressOf(base, operation, filled), {
      method: operation.method,
      // A redirect leads to the file itself: it is not followed.
      redirect: 'manual',
      signal: AbortSignal.timeout(31_000),
      headers: {
        ...headersOf(operation, filled),
        ...(operation.needsToken && token ? { authorization: `Bearer ${token}` } : {}),
        ...(operation.body ? { 'content-type': 'application/json' } : {}),
      },
      ...(operation.body ? { body: filled.body } : {}),
    });
    return await readAnswer(response, (performance.now() - started) / 1000);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    return {
      status: 'No response',
      ok: false,
      seconds: (performance.now() - started) / 1000,
      bytes: 0,
      headers: [],
      body: reason,
    };
  }
}

async function readAnswer(response: Response, seconds: number): Promise<Answer> {
  if (response.type === 'opaqueredirect') {
    const body =
      'A redirect to the file. Browsers do not tell pages where to: ask with redirect=false for the link.';
    return { status: '307', ok: true, seconds, bytes: 0, headers: [], body };
  }
  const text = await response.text();
  return {
    status: `${response.status} ${response.statusText}`.trim(),
    ok: response.ok,
    seconds,
    bytes: new TextEncoder().encode(text).length,
    headers: [...response.headers],
    body: pretty(text),
  };
}

function pretty(text: string): string {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Not JSON: as it is.
  }
  return shown.length > MAX_SHOWN
    ? `${shown.slice(0, MAX_SHOWN)}\n… ${formatBytes(shown.length - MAX_SHOWN)} more`
    : shown;
}

function AnswerView({ answer }: { answer: Answer }) {
  return (
    <div class="answer">
      <p>
        <strong class={answer.ok ? 'answer-ok' : 'answer-failed'}>{answer.status}</strong>{' '}
        <span class="muted">{`in ${formatDuration(answer.seconds)}, ${formatBytes(answer.bytes)}`}</span>
      </p>
      {answer.headers.length > 0 && (
        <details>
          <summary>Headers of the response</summary>
          <CodeBlock
            label="Headers"
            text={answer.headers.map(([name, value]) => `${name}: ${value}`).join('\n')}
          />
        </details>
      )}
      {answer.body && <CodeBlock label="Body" text={answer.body} />}
    </div>
  );
}
