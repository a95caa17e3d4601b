import { useEffect, useMemo } from 'preact/hooks';
import { requestJson } from '../api/client';
import { Button } from '../components/Button';
import { copyText } from '../components/Toast';
import { ErrorState, Skeleton } from '../components/States';
import { useLoad } from '../lib/useLoad';
import { useTitle } from '../lib/useTitle';
import { listOperations, type ApiDocument, type Operation } from '../reference/document';
import { OperationView } from '../reference/OperationView';
import { inline, Prose } from '../reference/Prose';
import { session } from '../session';
import { currentSettings } from '../settings';
import './ReferencePage.css';

/** Every operation of the API, from the document that the service itself has. */
export function ReferencePage() {
  useTitle('API');
  const { data, error, reload } = useLoad('openapi', (signal) =>
    requestJson<ApiDocument>('/console/openapi.json', { signal }),
  );
  if (error) return <ErrorState error={error} retry={reload} />;
  return data ? <Reference document={data} /> : <Skeleton lines={12} label="Loading the reference" />;
}

function Reference({ document: api }: { document: ApiDocument }) {
  const operations = useMemo(() => listOperations(api), [api]);
  const groups = useMemo(() => groupByTag(api, operations), [api, operations]);
  const base = new URL(api.servers?.[0]?.url ?? currentSettings().api, location.origin).href.replace(
    /\/$/,
    '',
  );
  useEffect(() => {
    // The target of a link is there only now.
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [api]);
  return (
    <div class="reference">
      <nav class="reference-nav" aria-label="Operations">
        {groups.map(({ tag, operations: list }) => (
          <div key={tag}>
            <h2>{tag}</h2>
            <ul>
              {list.map((operation) => (
                <li key={operation.id}>
                  <a href={`#${operation.id}`}>
                    <span class={`nav-method nav-${operation.method.toLowerCase()}`}>{operation.method}</span>
                    {operation.path}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <div class="reference-main">
        <header class="reference-head">
          <h1>{`${api.info.title} ${api.info.version}`}</h1>
          <p>
            All paths are beneath <code>{base}</code>.
          </p>
          <Prose text={api.info.description ?? ''} />
          <TokenLine />
        </header>
        {groups.map(({ tag, description, operations: list }) => (
          <section key={tag}>
            <h2 class="reference-tag">
              {tag} <span>{inline(description)}</span>
            </h2>
            {list.map((operation) => (
              <OperationView key={operation.id} document={api} base={base} operation={operation} />
            ))}
          </section>
        ))}
      </div>
    </div>
  );
}

/** The examples have `$TOKEN`: the token itself is never on a page. */
function TokenLine() {
  const current = session.value;
  if (!current) return null;
  return (
    <p class="token-line">
      <Button
        small
        icon="key"
        onClick={() => void copyText(`export TOKEN='${current.token}'`, 'A line that sets TOKEN')}
      >
        Copy a line that sets $TOKEN
      </Button>
      <span class="muted">
        for the examples, as <bdi>{current.name}</bdi>
      </span>
    </p>
  );
}

function groupByTag(api: ApiDocument, operations: Operation[]) {
  const tags = api.tags ?? [];
  const others = operations.map(({ tag }) => tag).filter((tag) => !tags.some(({ name }) => name === tag));
  return [...tags, ...[...new Set(others)].map((name) => ({ name, description: '' }))]
    .map(({ name, description = '' }) => ({
      tag: name,
      description,
      operations: operations.filter(({ tag }) => tag === name),
    }))
    .filter((group) => group.operations.length > 0);
}
