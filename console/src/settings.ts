import { signal } from '@preact/signals';

/** Where people of `serve` log in: the user pool's hosted page, with PKCE (RFC 7636). */
export interface LoginSettings {
  authorize_url: string;
  token_url: string;
  logout_url: string;
  client_id: string;
  scopes: string[];
}

/** `/console/settings.json`: what the service tells its console. */
export interface Settings {
  /** The path beneath which the API is, such as `/packages`. */
  api: string;
  mode: 'dev' | 'serve';
  version: string;
  login: LoginSettings | null;
  /** Whether there is a page for operators. */
  operator: boolean;
  /** Node ids of the demo data, by name; only of `dev`. */
  demo: Record<string, string | number> | null;
}

export const settings = signal<Settings | null>(null);

export async function loadSettings(): Promise<Settings> {
  const response = await fetch('/console/settings.json', { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`settings.json: ${response.status}`);
  settings.value = (await response.json()) as Settings;
  return settings.value;
}

/** The settings, once `loadSettings` has read them: pages are shown only then. */
export function currentSettings(): Settings {
  if (!settings.value) throw new Error('the settings are not loaded');
  return settings.value;
}
