import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './Icon';
import './Menu.css';

interface MenuProps {
  /** The button's name. */
  label: string;
  icon: IconName;
  /** What the button shows beside its icon, where there is room. */
  text?: string;
  children: ComponentChildren;
}

/** A button with a menu (WAI-ARIA menu button): arrows move, Enter chooses, Escape and a click elsewhere close. */
export function Menu({ label, icon, text, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    items(root.current)[0]?.focus();
    const closeOutside = (event: Event) => !root.current?.contains(event.target as Node) && setOpen(false);
    document.addEventListener('pointerdown', closeOutside);
    return () => document.removeEventListener('pointerdown', closeOutside);
  }, [open]);
  const close = () => {
    setOpen(false);
    root.current?.querySelector('button')?.focus();
  };
  return (
    <div class="menu" ref={root} onKeyDown={(event) => open && moveFocus(event, root.current, close)}>
      <button
        type="button"
        class="menu-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        <Icon name={icon} />
        {text && <bdi>{text}</bdi>}
      </button>
      {open && (
        <ul id={id} class="menu-list" role="menu" aria-label={label} onClick={close}>
          {children}
        </ul>
      )}
    </div>
  );
}

interface MenuItemProps {
  icon?: IconName;
  checked?: boolean;
  onSelect: () => void;
  children: ComponentChildren;
}

export function MenuItem({ icon, checked, onSelect, children }: MenuItemProps) {
  return (
    <li role="none">
      <button
        type="button"
        role={checked === undefined ? 'menuitem' : 'menuitemradio'}
        aria-checked={checked}
        tabIndex={-1}
        onClick={onSelect}
      >
        {icon && <Icon name={icon} size={16} />}
        <span>{children}</span>
        {checked && <Icon name="check" size={15} />}
      </button>
    </li>
  );
}

function items(root: HTMLElement | null): HTMLElement[] {
  return [...(root?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
}

function moveFocus(event: KeyboardEvent, root: HTMLElement | null, close: () => void): void {
  const all = items(root);
  const index = all.indexOf(document.activeElement as HTMLElement);
  const targets: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 };
  if (event.key === 'Escape' || event.key === 'Tab') close();
  const target = targets[event.key];
  if (target === undefined) return;
  event.preventDefault();
  all.at(target % all.length)?.focus();
}
