import { wasAborted } from '../api/client';
import { IconButton } from '../components/Button';
import { describeError, Notice } from '../components/States';
import { countOf } from '../lib/format';
import { renewAhead, type FileLink, type LinkKeeper, type LinkState } from './link';
import { describeLinkError } from './availability';
import { useNow } from './useNow';

/** Until when the link works, for whom, and what happens then. */
export function Lifetime({ keeper, directory }: { keeper: LinkKeeper; directory: boolean }) {
  const state = keeper.state.value;
  const now = useNow();
  const { link } = state;
  if (!link) return <NoLink state={state} onRetry={() => void keeper.renew().catch(() => undefined)} />;
  const what = directory ? 'everything beneath it' : 'the file';
  return (
    <div class="lifetime">
      <div class="lifetime-count">
        <span class="lifetime-left" role="timer" aria-label="Time left">
          {formatLeft(link.expiresAt - now)}
        </span>
        <span class="muted">until {clockTime(link.expiresAt)}</span>
        <IconButton
          icon="refresh"
          label="Make a new link now"
          onClick={() => void keeper.renew().catch(() => undefined)}
        />
      </div>
      <div class="lifetime-bar" aria-hidden>
        <span style={{ width: `${shareLeft(link, now) * 100}%` }} />
      </div>
      <p>
        Anyone with this link can read {what} until {clockTime(link.expiresAt)}. A role that is taken away
        does not end it.
      </p>
      <p class="muted">{nextText(state, link)}</p>
      {state.error !== null && !wasAborted(state.error) && (
        <RenewalFailure state={state} link={link} now={now} />
      )}
    </div>
  );
}

function NoLink({ state, onRetry }: { state: LinkState; onRetry: () => void }) {
  if (state.error === null || wasAborted(state.error)) return <p class="muted">Asking for a link …</p>;
  const { title, advice } = describeLinkError(state.error);
  return (
    <Notice tone="danger">
      No link: {title}. {advice}{' '}
      <button type="button" class="link-button" onClick={onRetry}>
        Try again
      </button>
    </Notice>
  );
}

function nextText({ renewals, nextAt }: LinkState, link: FileLink): string {
  const last = renewals.at(-1);
  const times = last
    ? ` Renewed ${countOf(renewals.length, 'time')}, last at ${clockTime(last.at)}: ${last.reason}.`
    : '';
  if (nextAt === null) return `No new one is made by itself.${times}`;
  const when = Math.min(nextAt, link.expiresAt - renewAhead(link));
  return `While you look, a new one is made by itself at ${clockTime(Math.max(when, nextAt))}.${times}`;
}

function RenewalFailure({ state, link, now }: { state: LinkState; link: FileLink; now: number }) {
  const { title } = describeError(state.error);
  const works = link.expiresAt > now;
  return (
    <Notice tone={works ? 'warn' : 'danger'}>
      No new link: {title}. {works ? 'This one still works.' : 'This one has ended.'}
    </Notice>
  );
}

function shareLeft(link: FileLink, now: number): number {
  const whole = Math.max(link.expiresAt - link.obtainedAt, 1);
  return Math.min(Math.max((link.expiresAt - now) / whole, 0), 1);
}

const clocks = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

function clockTime(at: number): string {
  return clocks.format(at);
}

/** `59:04`, `1:02:10` */
export function formatLeft(milliseconds: number): string {
  const seconds = Math.max(Math.floor(milliseconds / 1000), 0);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
