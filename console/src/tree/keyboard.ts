import { say } from '../components/Toast';
import { formatCount } from '../lib/format';
import type { Row, TreeStore } from './store';
import { startsWith, type TypeAhead } from './typeahead';

interface Named {
  id: string;
  name: string;
}

/** What the keys of a table act on. */
export interface Keyboard {
  store: TreeStore<Named>;
  isFolder(item: Named): boolean;
  onOpen(item: Named): void;
  onUp?(): void;
  selectable?(item: Named): boolean;
  onSelect?(item: Named, range: boolean): void;
  onSelectAll?(): void;
  typed: TypeAhead;
  /** The row that the keyboard is at. */
  active: number;
  /** The number of rows that Page Up and Page Down pass. */
  page: number;
  setActive(index: number): void;
}

type Action = (keyboard: Keyboard, row: Row<Named> | undefined, event: KeyboardEvent) => void;

/** The keys of a treegrid (WAI-ARIA), of file managers (Backspace), and letters that lead to a name. */
export function handleKey(event: KeyboardEvent, keyboard: Keyboard): void {
  // Keys of the header's buttons are theirs.
  if (event.target !== event.currentTarget || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === 'a' && keyboard.onSelectAll) run(event, () => keyboard.onSelectAll?.());
    return;
  }
  const row = keyboard.store.rowAt(keyboard.active);
  const action = ACTIONS[event.key];
  const spaceInWord = event.key === ' ' && keyboard.typed.isTyping(event.timeStamp);
  if (action && !spaceInWord) return run(event, () => action(keyboard, row, event));
  const word = keyboard.typed.add(event.key, event.timeStamp);
  if (word) run(event, () => jumpTo(word, keyboard));
}

function run(event: Event, action: () => void): void {
  event.preventDefault();
  action();
}

const ACTIONS: Record<string, Action> = {
  ArrowDown: (keyboard, _row, event) => move(keyboard, keyboard.active + 1, event.shiftKey),
  ArrowUp: (keyboard, _row, event) => move(keyboard, keyboard.active - 1, event.shiftKey),
  PageDown: (keyboard) => move(keyboard, keyboard.active + keyboard.page, false),
  PageUp: (keyboard) => move(keyboard, keyboard.active - keyboard.page, false),
  Home: (keyboard) => keyboard.setActive(0),
  End: goToEnd,
  ArrowRight: openOrEnter,
  ArrowLeft: closeOrLeave,
  Enter: (keyboard, row) => {
    if (row?.kind === 'item') keyboard.onOpen(row.item);
    else if (row?.kind === 'error') void keyboard.store.loadMore(row.level);
  },
  ' ': (keyboard, row, event) => {
    if (row?.kind === 'item' && keyboard.selectable?.(row.item) !== false)
      keyboard.onSelect?.(row.item, event.shiftKey);
  },
  Backspace: (keyboard) => keyboard.onUp?.(),
};

function move(keyboard: Keyboard, index: number, select: boolean): void {
  const target = Math.max(0, Math.min(keyboard.store.rowCount - 1, index));
  const row = keyboard.store.rowAt(target);
  keyboard.setActive(target);
  if (select && row?.kind === 'item' && keyboard.selectable?.(row.item) !== false)
    keyboard.onSelect?.(row.item, true);
}

function openOrEnter(keyboard: Keyboard, row: Row<Named> | undefined): void {
  if (row?.kind !== 'item' || !keyboard.isFolder(row.item)) return;
  if (row.open) keyboard.setActive(keyboard.active + 1);
  else keyboard.store.toggle(row);
}

function closeOrLeave(keyboard: Keyboard, row: Row<Named> | undefined): void {
  if (row?.kind === 'item' && row.open) return keyboard.store.toggle(row);
  if (!row?.level.parent) return;
  const parent = keyboard.store.indexOf(row.level.parent, keyboard.active - 1);
  if (parent >= 0) keyboard.setActive(parent);
}

let ending: AbortController | undefined;

/** To the end of the list, which is loaded first, if there is a way; then what lies between. Any other key stops that. */
function goToEnd(keyboard: Keyboard): void {
  const { store } = keyboard;
  ending?.abort();
  const controller = new AbortController();
  ending = controller;
  addEventListener('keydown', () => controller.abort(), { once: true, capture: true });
  keyboard.setActive(store.rowCount - 1);
  if (store.root.next === null) return;
  say('Loading to the end. Press any key to stop');
  void loadToEnd(keyboard, controller.signal);
}

async function loadToEnd(keyboard: Keyboard, signal: AbortSignal): Promise<void> {
  const { store } = keyboard;
  const toLast = () => {
    if (!signal.aborted) keyboard.setActive(store.rowCount - 1);
  };
  await store.loadTail();
  if (store.root.tail) toLast();
  await store.loadAll(store.root, signal);
  toLast();
  say(`${formatCount(store.itemCount)} entries loaded`);
}

/** To the next row whose name starts with the word. A word's first letter moves on; further letters may stay. */
function jumpTo(word: string, keyboard: Keyboard): void {
  const from = word.length > 1 ? keyboard.active : keyboard.active + 1;
  const index = keyboard.store.findRow((row) => row.kind === 'item' && startsWith(row.item.name, word), from);
  if (index >= 0) keyboard.setActive(index);
}
