import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { fit, keepInSight, zoomAt, type Limits, type PanZoom, type Size } from './view';

const STEP = 1.25;
const PAN = 64;

export interface PanZoomState {
  view: PanZoom;
  box: Size;
  zoom: (factor: number) => void;
  showAll: () => void;
  showScale: (scale: number) => void;
}

/** Pan and zoom of an element's content: by pointers, two fingers, the wheel and keys. */
export function usePanZoom(
  element: { current: HTMLElement | null },
  content: Size,
  options: { limits: Limits; largestFit: number },
): PanZoomState {
  const [box, setBox] = useState<Size>({ width: 0, height: 0 });
  const [moved, setMoved] = useState<PanZoom | null>(null);
  const { least, most } = options.limits;
  const fitted = fit(content, box, options.largestFit);
  const view = moved ?? fitted;
  const latest = useRef({ view, box, content });
  latest.current = { view, box, content };
  useBox(element, setBox);
  const change = useCallback((next: (view: PanZoom) => PanZoom) => {
    const { view: before, box: room, content: size } = latest.current;
    const after = keepInSight(next(before), size, room);
    latest.current.view = after;
    setMoved(after);
  }, []);
  const zoom = useCallback(
    (factor: number, point?: { x: number; y: number }) => {
      const { box: room, content: size } = latest.current;
      const all = fit(size, room, 1).scale;
      const limits = { least: Math.min(least, all), most };
      change((before) => zoomAt(before, point ?? { x: room.width / 2, y: room.height / 2 }, factor, limits));
    },
    [change, least, most],
  );
  const showAll = useCallback(() => setMoved(null), []);
  const showScale = useCallback((scale: number) => zoom(scale / latest.current.view.scale), [zoom]);
  useGestures(element, change, zoom, showAll);
  return { view, box, zoom, showAll, showScale };
}

function useBox(element: { current: HTMLElement | null }, onSize: (size: Size) => void) {
  useLayoutEffect(() => {
    const target = element.current;
    if (!target) return;
    const report = () => onSize({ width: target.clientWidth, height: target.clientHeight });
    const observer = new ResizeObserver(report);
    observer.observe(target);
    report();
    return () => observer.disconnect();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- sets state only
  }, []);
}

type Change = (next: (view: PanZoom) => PanZoom) => void;
type Zoom = (factor: number, point?: { x: number; y: number }) => void;

function useGestures(
  element: { current: HTMLElement | null },
  change: Change,
  zoom: Zoom,
  showAll: () => void,
) {
  useEffect(() => {
    const target = element.current;
    if (!target) return;
    const stop = new AbortController();
    listenToPointers(target, change, zoom, stop.signal);
    const { signal } = stop;
    target.addEventListener('keydown', (event) => onKey(event, change, zoom, showAll), { signal });
    target.addEventListener(
      'wheel',
      (event) => {
        // Two fingers and Ctrl zoom everywhere. The wheel alone does so only where the keyboard is: else it scrolls the page.
        if (!event.ctrlKey && !event.metaKey && document.activeElement !== target) return;
        event.preventDefault();
        zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), pointIn(target, event));
      },
      { signal, passive: false },
    );
    target.addEventListener('dblclick', (event) => zoom(2, pointIn(target, event)), { signal });
    return () => stop.abort();
  }, [element, change, zoom, showAll]);
}

function pointIn(target: HTMLElement, event: MouseEvent): { x: number; y: number } {
  const { left, top } = target.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

function onKey(event: KeyboardEvent, change: Change, zoom: Zoom, showAll: () => void): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const moves: Record<string, [number, number]> = {
    ArrowLeft: [PAN, 0],
    ArrowRight: [-PAN, 0],
    ArrowUp: [0, PAN],
    ArrowDown: [0, -PAN],
  };
  const move = moves[event.key];
  if (move) change((view) => ({ ...view, x: view.x + move[0], y: view.y + move[1] }));
  else if (event.key === '+' || event.key === '=') zoom(STEP);
  else if (event.key === '-') zoom(1 / STEP);
  else if (event.key === '0') showAll();
  else return;
  event.preventDefault();
}

function listenToPointers(target: HTMLElement, change: Change, zoom: Zoom, signal: AbortSignal): void {
  const pointers = new Map<number, { x: number; y: number }>();
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    target.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, pointIn(target, event));
  };
  const move = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const after = pointIn(target, event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, after);
    if (other) {
      const middle = { x: (after.x + other.x) / 2, y: (after.y + other.y) / 2 };
      zoom(distance(after, other) / Math.max(distance(before, other), 1), middle);
    }
    const share = other ? 0.5 : 1;
    change((view) => ({
      ...view,
      x: view.x + (after.x - before.x) * share,
      y: view.y + (after.y - before.y) * share,
    }));
  };
  const up = (event: PointerEvent) => pointers.delete(event.pointerId);
  target.addEventListener('pointerdown', down, { signal });
  target.addEventListener('pointermove', move, { signal });
  target.addEventListener('pointerup', up, { signal });
  target.addEventListener('pointercancel', up, { signal });
}

function distance(a: { x: number; y: number }, b: { x: number; y: number }): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
