/** Why bytes of a file could not be read. */
export type FileErrorKind =
  'refused' | 'archived' | 'missing' | 'busy' | 'network' | 'stalled' | 'unexpected';

const TEXTS: Record<FileErrorKind, { title: string; advice: string }> = {
  refused: {
    title: 'The link was refused, and so was a new one',
    advice: 'The credentials of the service may have ended. Try another link, or later.',
  },
  archived: {
    title: 'The file is archived',
    advice: 'Somebody has to restore the object in S3 before it can be read. Its entry here stays.',
  },
  missing: {
    title: 'The file is not in storage',
    advice: 'Its entry is there, its bytes are not. Tell the owner of the dataset.',
  },
  busy: { title: 'Storage is busy', advice: 'It asked to wait, several times. Try again in a minute.' },
  network: {
    title: 'Storage cannot be reached',
    advice:
      'Is this computer online? A blocker or a firewall may stop requests to storage, or its bucket may not allow pages (CORS).',
  },
  stalled: {
    title: 'Storage stopped sending',
    advice: 'Nothing came for half a minute. Try again, or try another link.',
  },
  unexpected: {
    title: 'Storage answered unexpectedly',
    advice: 'Try again. If it stays so, report it with the status.',
  },
};

export class FileError extends Error {
  readonly title: string;
  readonly advice: string;

  constructor(
    readonly kind: FileErrorKind,
    /** Of the last response; 0 if there was none. */
    readonly status: number,
    /** What storage said, if it did. */
    detail = '',
  ) {
    const code = status ? ` (status ${status}${detail ? `, ${detail}` : ''})` : '';
    super(`${TEXTS[kind].title}${code}`);
    this.name = 'FileError';
    this.title = TEXTS[kind].title + code;
    this.advice = TEXTS[kind].advice;
  }
}

/** A file that cannot be shown for what it is: damaged, of a form that the viewer does not know, or too large. */
export class FormatError extends Error {
  constructor(
    message: string,
    readonly advice = 'It can be downloaded, and opened with other programs.',
  ) {
    super(message);
    this.name = 'FormatError';
  }
}
