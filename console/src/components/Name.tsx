import { nameParts } from '../lib/names';
import './Name.css';

/** A name that people made: text, isolated from its surroundings, with nothing hidden in it. */
export function Name({ name }: { name: string }) {
  return (
    <bdi class="name">
      {nameParts(name).map((part, index) =>
        'text' in part ? (
          part.text
        ) : (
          <span key={index} class="name-control" title="A character that cannot be seen">
            {part.control}
          </span>
        ),
      )}
    </bdi>
  );
}
