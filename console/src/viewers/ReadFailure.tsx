import type { ComponentChildren } from 'preact';
import { Button } from '../components/Button';
import { ErrorState } from '../components/States';
import { Icon } from '../components/Icon';
import { ApiError } from '../api/problem';
import { describeLinkError } from '../file/availability';
import { FileError, FormatError } from '../file/error';

/** Why a viewer cannot show the file, and what to do. */
export function ReadFailure({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error instanceof FileError)
    return <Failure title={error.title} advice={error.advice} {...(retry && { retry })} />;
  if (error instanceof FormatError) return <Failure title={error.message} advice={error.advice} />;
  if (error instanceof ApiError && error.status === 404)
    return <Failure {...describeLinkError(error)} {...(retry && { retry })} />;
  return <ErrorState error={error} {...(retry && { retry })} />;
}

/** What failed, and what to do. */
export function Failure(props: { title: string; advice: ComponentChildren; retry?: () => void }) {
  return (
    <div class="state state-error" role="alert">
      <Icon name="alert" size={30} />
      <h2>{props.title}</h2>
      <p>{props.advice}</p>
      {props.retry && (
        <div class="state-action">
          <Button icon="refresh" onClick={props.retry}>
            Try again
          </Button>
        </div>
      )}
    </div>
  );
}
