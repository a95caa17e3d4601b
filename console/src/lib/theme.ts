import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'packages-service.theme';

/** What the person has chosen. */
export const theme = signal<Theme>(readTheme());

/** Keeps the colours of the page, and what is stored, equal to the choice and to the system's colours. */
export function followTheme(): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const systemIsDark = signal(system.matches);
  system.addEventListener('change', () => (systemIsDark.value = system.matches));
  effect(() => {
    const chosen = theme.value;
    const dark = chosen === 'dark' || (chosen === 'system' && systemIsDark.value);
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    store(chosen);
  });
}

function store(chosen: Theme): void {
  try {
    if (chosen === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch {
    // Without storage the choice ends with the page.
  }
}

function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system';
  }
}
