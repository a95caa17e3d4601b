import { useState } from 'preact/hooks';
import { Button } from '../../components/Button';
import { formatCount } from '../../lib/format';
import './TextViewer.css';

/** A browser needs a minute to break a line of five million characters: these take it a moment. */
const AT_ONCE = 200_000;

/** Text that was read whole, of which a part is drawn. */
export function LongText({ text, label }: { text: string; label: string }) {
  const [drawn, setDrawn] = useState(AT_ONCE);
  const rest = text.length - drawn;
  return (
    <>
      <pre class="text-lines" tabIndex={0} aria-label={label} dir="auto">
        {text.slice(0, drawn)}
      </pre>
      {rest > 0 && (
        <div class="text-rest">
          <span>{formatCount(rest)} characters more</span>
          <Button small onClick={() => setDrawn(drawn + AT_ONCE)}>
            Show {formatCount(Math.min(AT_ONCE, rest))} of them
          </Button>
        </div>
      )}
    </>
  );
}
