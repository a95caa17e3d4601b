import { signal } from '@preact/signals';

const KEY = 'packages-service.operator';

/** The operators' token of `serve`, for this tab. `dev` needs none. */
export const operatorToken = signal(readStored());

export function keepOperatorToken(token: string): void {
  operatorToken.value = token;
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // Without storage the token is asked for after a reload.
  }
}

export function forgetOperatorToken(): void {
  operatorToken.value = '';
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was stored.
  }
}

function readStored(): string {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}
