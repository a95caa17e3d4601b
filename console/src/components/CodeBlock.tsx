import { IconButton } from './Button';
import { copyText } from './Toast';
import './CodeBlock.css';

/** Text to copy. `label` says what it is. */
export function CodeBlock({ label, text }: { label: string; text: string }) {
  return (
    <figure class="code-block">
      <figcaption>
        {label}
        <IconButton icon="copy" label={`Copy: ${label}`} onClick={() => void copyText(text, label)} />
      </figcaption>
      <pre tabIndex={0} aria-label={label}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}
