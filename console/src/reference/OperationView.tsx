import { useState } from 'preact/hooks';
import { CodeBlock } from '../components/CodeBlock';
import { Badge } from '../components/States';
import { Button } from '../components/Button';
import { Icon } from '../components/Icon';
import { typeText, type ApiDocument, type Operation, type Parameter } from './document';
import { inline, Prose } from './Prose';
import { askForValues, firstValues } from './prefill';
import { curlOf } from './request';
import { sampleResponse } from './sample';
import { TryIt } from './TryIt';

interface OperationViewProps {
  document: ApiDocument;
  base: string;
  operation: Operation;
}

/** One operation: what it does and needs, what it answers, and a place to try it. */
export function OperationView({ document, base, operation }: OperationViewProps) {
  const [filled, setFilled] = useState(() => firstValues(document, operation));
  const [trying, setTrying] = useState(false);
  const startTrying = async () => {
    setTrying(true);
    const found = await askForValues(operation);
    setFilled((before) => ({ ...before, values: { ...before.values, ...found } }));
  };
  const sample = sampleResponse(document, operation);
  const errors = operation.responses.filter(({ status }) => Number(status) >= 400);
  const successes = operation.responses.filter(({ status }) => Number(status) < 400);
  return (
    <article class="operation" id={operation.id} aria-labelledby={`${operation.id}-title`}>
      <div class="operation-text">
        <h3 id={`${operation.id}-title`}>
          <a href={`#${operation.id}`}>
            <Method method={operation.method} /> <code>{operation.path}</code>
          </a>
        </h3>
        <p class="operation-summary">{inline(operation.summary)}</p>
        <p class="operation-permission">
          <Icon name={operation.needsToken ? 'lock' : 'info'} size={15} /> {operation.permission}
        </p>
        <Prose text={operation.description} />
        {operation.parameters.length > 0 && (
          <Parameters document={document} parameters={operation.parameters} />
        )}
        {operation.body?.description && (
          <p>
            <strong>Body.</strong> {inline(operation.body.description)}
          </p>
        )}
        <Statuses title="Responses" list={successes} />
        <Statuses title="Errors" list={errors} />
      </div>
      <div class="operation-code">
        <CodeBlock label="curl" text={curlOf(base, operation, filled)} />
        {sample && <CodeBlock label="Response, for example" text={sample} />}
        {trying ? (
          <TryIt document={document} base={base} operation={operation} filled={filled} onFill={setFilled} />
        ) : (
          <div>
            <Button small icon="play" onClick={() => void startTrying()}>
              Try it
              <span class="visually-hidden">{`: ${operation.method} ${operation.path}`}</span>
            </Button>
          </div>
        )}
      </div>
    </article>
  );
}

export function Method({ method }: { method: string }) {
  return <Badge tone={method === 'POST' ? 'warn' : method === 'GET' ? 'accent' : 'plain'}>{method}</Badge>;
}

function Parameters({ document, parameters }: { document: ApiDocument; parameters: Parameter[] }) {
  return (
    <dl class="parameters">
      {parameters.map((parameter) => (
        <div key={parameter.name}>
          <dt>
            <code>{parameter.name}</code>
            {parameter.required && <span class="try-required">required</span>}
            {parameter.in !== 'query' && <span class="muted">in the {parameter.in}</span>}
          </dt>
          <dd>
            {inline(parameter.description ?? '')}{' '}
            <span class="parameter-type">{typeText(document, parameter.schema)}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Statuses({ title, list }: { title: string; list: Operation['responses'] }) {
  if (list.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <dl class="statuses">
        {list.map(({ status, description }) => (
          <div key={status}>
            <dt>{status}</dt>
            <dd>{inline(description)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
