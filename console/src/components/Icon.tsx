import './Icon.css';

/** Drawn on 24 × 24, as lines of 1.75. */
const PATHS = {
  alert:
    'M12 9v4m0 3.5v.01M10.3 4.2 2.6 17.5A2 2 0 0 0 4.3 20.5h15.4a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0z',
  archive: 'M4 8v11a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V8M3 4h18v4H3zM10 12h4',
  array: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  arrowUp: 'M12 19V5m-6 6 6-6 6 6',
  arrowDown: 'M12 5v14m6-6-6 6-6-6',
  arrowRight: 'M5 12h14m-6-6 6 6-6 6',
  audio: 'M9 18V6l11-2v12M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0zm11-2a3 3 0 1 1-6 0 3 3 0 0 1 6 0z',
  book: 'M4 5.5A2.5 2.5 0 0 1 6.5 3H20v15H6.5A2.5 2.5 0 0 0 4 20.5zm0 15A2.5 2.5 0 0 0 6.5 21H20v-3',
  check: 'm4.5 12.5 5 5 10-11',
  chevronDown: 'm6 9 6 6 6-6',
  chevronRight: 'm9 6 6 6-6 6',
  clock: 'M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  close: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  dataset:
    'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zm0 0v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  download: 'M12 4v11m-5-4.5 5 5 5-5M4 20h16',
  external: 'M14 4h6v6m0-6-9 9M18 14v6H4V6h6',
  file: 'M6 3h8l5 5v13H6zM14 3v5h5',
  folder: 'M3 6a1 1 0 0 1 1-1h5l2 2.5h9a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1z',
  history: 'M3.5 12a8.5 8.5 0 1 0 2.6-6.1L3.5 8.5m0-5v5h5M12 7.5V12l3 2',
  image: 'M4 4h16v16H4zM4 16l4.5-4.5 4 4 3-3L20 17M15.5 8.5v.01',
  info: 'M12 11v5.5m0-9v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  key: 'M14.5 9.5a5 5 0 1 1-3.2-3.2 5 5 0 0 1 3.2 3.2zm-.9 3.4L20.5 20m-3-3 2-2',
  link: 'M10 14a4.5 4.5 0 0 0 6.4 0l3-3A4.5 4.5 0 0 0 13 4.600l-1 1M14 10a4.5 4.5 0 0 0-6.4 0l-3 3A4.5 4.5 0 0 0 11 19.400l1-1',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  menu: 'M4 7h16M4 12h16M4 17h16',
  minus: 'M5 12h14',
  monitor: 'M3 5h18v11H3zM9 20h6m-3-4v4',
  moon: 'M20 14.500A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.500z',
  play: 'M8 5v14l11-7z',
  plus: 'M12 5v14M5 12h14',
  pulse: 'M3 12h4l3-8 4 16 3-8h4',
  refresh: 'M20 11a8 8 0 0 0-14.5-3.500L4 9m0-5v5h5M4 13a8 8 0 0 0 14.5 3.500L20 15m0 5v-5h-5',
  search: 'm20 20-4.5-4.500M17 10.500a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z',
  send: 'M4 12 20 4l-5 16-3.5-6.500z',
  shield: 'M12 3l8 3v6c0 4.5-3.3 7.7-8 9-4.7-1.3-8-4.5-8-9V6zM9 12l2 2 4-4',
  signOut: 'M10 4H5v16h5m5-12 4 4-4 4m4-4H9',
  sun: 'M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.400M18.4 5.6 17 7M7 17l-1.4 1.400M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z',
  table: 'M4 5h16v14H4zM4 10h16M4 14.500h16M10 10v9',
  text: 'M6 3h8l5 5v13H6zM14 3v5h5M9 13h7M9 17h5',
  trash: 'M4 7h16M9 7V4h6v3m-8.5 0 1 13h9l1-13M10 11v5m4-5v5',
  user: 'M16 8a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM4.5 20.500c.8-4 3.8-6 7.5-6s6.7 2 7.5 6',
  video: 'M3 6h12v12H3zM15 10.500l6-3.500v10l-6-3.5',
  wave: 'M3 12h2l2-6 3 13 3-15 3 12 2-4h3',
} as const;

export type IconName = keyof typeof PATHS;

/** A decoration, unless it has a `label`. */
export function Icon({ name, label, size = 18 }: { name: IconName; label?: string; size?: number }) {
  const described = label ? { role: 'img' as const, 'aria-label': label } : { 'aria-hidden': true as const };
  return (
    <svg class="icon" viewBox="0 0 24 24" width={size} height={size} {...described}>
      <path d={PATHS[name]} />
    </svg>
  );
}
