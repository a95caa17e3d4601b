import { useMemo, useState } from 'preact/hooks';
import { CodeBlock } from '../components/CodeBlock';
import { currentSettings } from '../settings';
import type { ViewedFile } from '../viewers/types';
import { snippetsOf, type SnippetId } from './snippets';

/** How to open the file with other programs. */
export function CopyAs({ file, path }: { file: ViewedFile; path: string | null }) {
  const snippets = useMemo(() => {
    const api = new URL(currentSettings().api, location.href).href;
    const { datasetId, packageId, name } = file;
    return snippetsOf({ api, datasetId, packageId, name, path });
  }, [file, path]);
  const [chosen, setChosen] = useState<SnippetId>(snippets[0]?.id ?? 'curl');
  const snippet = snippets.find(({ id }) => id === chosen) ?? snippets[0];
  if (!snippet) return null;
  return (
    <section class="link-section copy-as">
      <h2>Copy as</h2>
      <div class="copy-choices" role="group" aria-label="Program">
        {snippets.map(({ id, label }) => (
          <button key={id} type="button" aria-pressed={id === snippet.id} onClick={() => setChosen(id)}>
            {label}
          </button>
        ))}
      </div>
      <CodeBlock label={snippet.label} text={snippet.code.trimEnd()} />
      <p class="muted">{snippet.note}</p>
    </section>
  );
}
