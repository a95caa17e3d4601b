import { ApiError } from '../api/problem';
import { describeError } from '../components/States';
import { stateOf } from '../lib/kinds';
import type { ViewedFile } from '../viewers/types';

export interface Reason {
  title: string;
  advice: string;
}

/** docs/api.md, "Links": states in which the service makes links. */
const READABLE = new Set(['READY', 'UPLOADED', 'PROCESSING', 'RUNNING', 'PROCESSING_FAILED']);

/** Why there is nothing to show of a package that is there; null if there may be. */
export function whyUnavailable({ state, files, assets }: ViewedFile): Reason | null {
  if (state === 'INFECTED') {
    return {
      title: 'The file did not pass the malware scan',
      advice: 'No links are made to it. The owner of the dataset can tell more.',
    };
  }
  if (!READABLE.has(state)) {
    return {
      title: `Its state is “${stateOf(state).text}”`,
      advice:
        'No links are made to its files in this state. The owner of the dataset can tell what it waits for.',
    };
  }
  if (files === 0 && assets.length === 0) {
    return {
      title: 'This package has no file',
      advice: 'It has an entry, and no stored file belongs to it. The owner of the dataset can tell more.',
    };
  }
  return null;
}

/** Why there is no link. What is shown is there: a 404 is about its file. */
export function describeLinkError(error: unknown): Reason {
  const { title, detail, advice } = describeError(error);
  if (!(error instanceof ApiError) || error.status !== 404) return { title, advice: advice || detail };
  return { title: 'There is no link to this file', advice: `The service says: ${detail}.` };
}
