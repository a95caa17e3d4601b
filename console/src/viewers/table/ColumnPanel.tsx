import { useState } from 'preact/hooks';
import { wasAborted } from '../../api/client';
import { Button, IconButton } from '../../components/Button';
import { lazy } from '../../components/lazy';
import { Notice, Skeleton } from '../../components/States';
import { formatCount } from '../../lib/format';
import { useLoad } from '../../lib/useLoad';
import type { PlotProps } from './Plot';
import { countTexts, formatNumber, formatTime, summarize, type ColumnValues, type Summary } from './stats';
import './ColumnPanel.css';

const Plot = lazy<PlotProps>(() => import('./Plot').then((module) => module.default));

export interface ColumnPanelProps {
  /** Changes when other values are meant. */
  id: string;
  title: string;
  type: string;
  load: (signal: AbortSignal) => Promise<ColumnValues>;
  /** Which rows the values are of. */
  scope: string;
  /** Reads the rest of the column, and what that costs. */
  more: { label: string; read: () => void } | null;
  onClose: () => void;
}

/** What is in a column: a histogram or a line of numbers, the most frequent texts. */
export function ColumnPanel(props: ColumnPanelProps) {
  const { data, error, reload } = useLoad(props.id, props.load);
  return (
    <section class="column-panel" aria-label={`Column ${props.title}`}>
      <header>
        <h3>
          <bdi>{props.title}</bdi>
        </h3>
        <span class="muted">{props.type}</span>
        <IconButton icon="close" label="Close the column" onClick={props.onClose} />
      </header>
      {error && !wasAborted(error) ? (
        <Notice tone="danger">
          {error instanceof Error ? error.message : 'The column could not be read.'}{' '}
          <Button small onClick={reload}>
            Try again
          </Button>
        </Notice>
      ) : data ? (
        <Content title={props.title} values={data} />
      ) : (
        <Skeleton lines={5} label="Reading the column" />
      )}
      <footer>
        <span class="muted">{props.scope}</span>
        {props.more && (
          <Button small onClick={props.more.read}>
            {props.more.label}
          </Button>
        )}
      </footer>
    </section>
  );
}

function Content({ title, values }: { title: string; values: ColumnValues }) {
  const [form, setForm] = useState<'histogram' | 'line'>('histogram');
  if (!values.numbers) return <Texts texts={values.texts ?? []} missing={values.missing} />;
  const summary = summarize(values.numbers);
  if (!summary) return <p class="muted">There is no number in these rows.</p>;
  const other = values.missing > 0 ? `, ${formatCount(values.missing)} missing` : '';
  return (
    <>
      <div class="column-head">
        <Facts summary={summary} times={values.times} other={other} />
        <div class="choice" role="group" aria-label="Form of the plot">
          {(['histogram', 'line'] as const).map((candidate) => (
            <button
              key={candidate}
              type="button"
              aria-pressed={form === candidate}
              onClick={() => setForm(candidate)}
            >
              {candidate === 'histogram' ? 'Histogram' : 'In order'}
            </button>
          ))}
        </div>
      </div>
      <Plot title={title} values={{ ...values, numbers: values.numbers }} summary={summary} form={form} />
    </>
  );
}

function Facts({ summary, times, other }: { summary: Summary; times: boolean; other: string }) {
  const show = times ? formatTime : formatNumber;
  const facts: [string, string][] = [
    ['values', formatCount(summary.count) + other],
    ['least', show(summary.min)],
    ['median', show(summary.median)],
    ['mean', show(summary.mean)],
    ['greatest', show(summary.max)],
  ];
  return (
    <dl class="column-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Texts({ texts, missing }: { texts: string[]; missing: number }) {
  const { distinct, top } = countTexts(texts);
  const most = top[0]?.count ?? 1;
  const absent = missing > 0 ? `, ${formatCount(missing)} missing` : '';
  return (
    <>
      <p class="muted">
        {formatCount(texts.length)} values, {formatCount(distinct)} different{absent}
        {distinct > top.length && `; the ${top.length} most frequent:`}
      </p>
      <table class="column-texts">
        <tbody>
          {top.map(({ text, count }) => (
            <tr key={text}>
              <th scope="row" dir="auto">
                {text === '' ? <i>empty</i> : text.slice(0, 80)}
              </th>
              <td class="number">{formatCount(count)}</td>
              <td aria-hidden>
                <span class="bar-of" style={{ width: `${(count / most) * 100}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
