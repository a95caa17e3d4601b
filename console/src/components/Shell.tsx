import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { logoutUrl } from '../lib/login';
import { routes } from '../lib/routes';
import { theme, type Theme } from '../lib/theme';
import { forgetOperatorToken } from '../operations/token';
import { session, signOut } from '../session';
import { settings } from '../settings';
import { Icon, type IconName } from './Icon';
import { Menu, MenuItem } from './Menu';
import './Shell.css';

/** The bar at the top, and the page beneath it. */
export function Shell({ children }: { children: ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  const [path] = useLocation();
  const person = session.value?.token;
  const first = useRef(true);
  useEffect(() => {
    // After a change of page or person the keyboard starts at the page, as it does after a load.
    if (!first.current && !main.current?.contains(document.activeElement)) main.current?.focus();
    first.current = false;
  }, [path, person]);
  return (
    <>
      <a class="skip-link" href="#main">
        Skip to the page
      </a>
      <TopBar path={path} />
      <main id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function TopBar({ path }: { path: string }) {
  const inData = path === '/' || path.startsWith('/dataset');
  return (
    <header class="bar">
      <Link href={routes.home()} class="bar-brand" aria-label="packages-service, to the datasets">
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <path d="M7 12l9-4.5 9 4.5v8.5L16 25l-9-4.5zM7 12l9 4.5 9-4.5M16 16.5V25" />
        </svg>
        <span class="bar-name">packages-service</span>
      </Link>
      <nav aria-label="Console">
        <BarLink href={routes.home()} icon="dataset" text="Datasets" current={inData} />
        {settings.value?.operator !== false && (
          <BarLink
            href={routes.operations()}
            icon="pulse"
            text="Operations"
            current={path === '/operations'}
          />
        )}
        <BarLink href={routes.docs()} icon="book" text="API" current={path === '/docs'} />
      </nav>
      <div class="bar-end">
        <ThemeMenu />
        {session.value && <UserMenu name={session.value.name} />}
      </div>
    </header>
  );
}

function BarLink(props: { href: string; icon: IconName; text: string; current: boolean }) {
  return (
    <Link href={props.href} class="bar-link" aria-current={props.current ? 'page' : undefined}>
      <Icon name={props.icon} size={17} />
      <span>{props.text}</span>
    </Link>
  );
}

const THEMES: { value: Theme; text: string; icon: IconName }[] = [
  { value: 'system', text: 'As the system', icon: 'monitor' },
  { value: 'light', text: 'Light', icon: 'sun' },
  { value: 'dark', text: 'Dark', icon: 'moon' },
];

function ThemeMenu() {
  const chosen = THEMES.find((candidate) => candidate.value === theme.value);
  return (
    <Menu label="Colours" icon={chosen?.icon ?? 'monitor'}>
      {THEMES.map(({ value, text, icon }) => (
        <MenuItem
          key={value}
          icon={icon}
          checked={theme.value === value}
          onSelect={() => (theme.value = value)}
        >
          {text}
        </MenuItem>
      ))}
    </Menu>
  );
}

function UserMenu({ name }: { name: string }) {
  const [, navigate] = useLocation();
  const leave = () => {
    const login = session.value?.source === 'login' ? settings.value?.login : null;
    signOut();
    forgetOperatorToken();
    navigate(routes.home());
    // Else the pool's page would let the next person in as this one.
    if (login) location.assign(logoutUrl(login, location.origin));
  };
  return (
    <Menu label={`Signed in as ${name}`} icon="user" text={shortName(name)}>
      <li class="menu-note" role="none">
        Signed in as <bdi>{name}</bdi>
      </li>
      <MenuItem icon="signOut" onSelect={leave}>
        {settings.value?.mode === 'dev' ? 'Choose another user' : 'Sign out'}
      </MenuItem>
    </Menu>
  );
}

/** An e-mail address without its host. A token without one names a person by an id, which says nothing to people. */
function shortName(name: string): string {
  return name.includes('@') ? (name.split('@')[0] ?? name) : 'Signed in';
}
