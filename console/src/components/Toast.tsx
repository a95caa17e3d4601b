import { signal } from '@preact/signals';
import './Toast.css';

const message = signal('');
let timer: ReturnType<typeof setTimeout> | undefined;

/** Says something for four seconds, also to screen readers. Nothing that people must see: that has its place on the page. */
export function say(text: string): void {
  message.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => (message.value = ''), 4000);
}

export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say('The browser did not allow to copy');
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {message.value && <div class="toast">{message.value}</div>}
    </div>
  );
}
