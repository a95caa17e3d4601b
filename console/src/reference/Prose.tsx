import type { ComponentChildren } from 'preact';

/** Text of the OpenAPI document: paragraphs, lists, `code` and **strong**. Anything else is shown as it is written. */
export function Prose({ text }: { text: string }) {
  return (
    <div class="prose">
      {text
        .split(/\n{2,}/)
        .filter((block) => block.trim() !== '')
        .map((block, index) => (
          <Block key={index} block={block} />
        ))}
    </div>
  );
}

function Block({ block }: { block: string }) {
  const lines = block.split('\n');
  if (!lines.every((line) => /^(- | {2})/.test(line))) return <p>{inline(block)}</p>;
  const items = block.split(/\n?^- /m).filter(Boolean);
  return (
    <ul>
      {items.map((item, index) => (
        <li key={index}>{inline(item)}</li>
      ))}
    </ul>
  );
}

export function inline(text: string): ComponentChildren {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part, index) => {
    if (part.startsWith('`')) return <code key={index}>{part.slice(1, -1)}</code>;
    return part.startsWith('**') ? <strong key={index}>{inline(part.slice(2, -2))}</strong> : part;
  });
}
