import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from 'preact';
import { Icon, type IconName } from './Icon';
import './Button.css';

interface Look {
  /** One primary button a view, for what people came to do. */
  look?: 'primary' | 'plain' | 'quiet' | 'danger';
  icon?: IconName;
  small?: boolean;
}

type ButtonAttributes = Omit<ButtonHTMLAttributes, 'class'> & { class?: string };

type ButtonProps = Look & ButtonAttributes & { busy?: boolean };

/** While `busy` it stays focusable, and does nothing. */
export function Button({ look = 'plain', icon, small, busy, children, class: more, ...rest }: ButtonProps) {
  const { onClick, ...attributes } = rest;
  const waiting = busy === true;
  return (
    <button
      type="button"
      {...attributes}
      class={classOf(look, small, more)}
      aria-disabled={waiting || undefined}
      onClick={waiting ? (event) => event.preventDefault() : onClick}
    >
      {waiting ? <span class="spinner" aria-hidden /> : icon && <Icon name={icon} size={small ? 15 : 17} />}
      {children && <span>{children}</span>}
    </button>
  );
}

/** A link that looks like a button: it leads somewhere, and opens in a new tab as links do. */
export function ButtonLink({
  look = 'plain',
  icon,
  small,
  children,
  class: more,
  ...rest
}: Look & LinkProps) {
  return (
    <a {...rest} class={classOf(look, small, more)}>
      {icon && <Icon name={icon} size={small ? 15 : 17} />}
      <span>{children}</span>
    </a>
  );
}

type LinkProps = Omit<AnchorHTMLAttributes, 'class'> & { class?: string };

/** A button of an icon alone. `label` is its name, and what it shows when pointed at. */
export function IconButton({ icon, label, ...rest }: { icon: IconName; label: string } & ButtonAttributes) {
  return (
    <button
      type="button"
      {...rest}
      class={`icon-button ${rest.class ?? ''}`}
      aria-label={label}
      title={label}
    >
      <Icon name={icon} />
    </button>
  );
}

function classOf(look: string, small: boolean | undefined, more = ''): string {
  return ['button', `button-${look}`, small ? 'button-small' : '', more].filter(Boolean).join(' ');
}
