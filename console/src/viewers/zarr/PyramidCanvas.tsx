import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { wasAborted } from '../../api/client';
import { ZoomBar } from '../panzoom/ZoomBar';
import { usePanZoom } from '../panzoom/usePanZoom';
import { ReadFailure } from '../ReadFailure';
import { formatNumber } from '../table/stats';
import type { Channel } from './channels';
import { TilePainter, type Scene } from './draw';
import type { Position, ZarrImage } from './image';
import { axisIndex, shortUnit } from './pyramid';
import { chooseLevel, scaleBar, tilesInSight } from './tiles';

interface CanvasProps {
  image: ZarrImage;
  channels: Channel[];
  position: Position;
  name: string;
}

const LIMITS = { least: 0.002, most: 40 };

/** The image itself, with its scale and what is at the pointer. */
export function PyramidCanvas({ image, channels, position, name }: CanvasProps) {
  const stage = useRef<HTMLDivElement>(null);
  const [finest] = image.grids;
  const content = useMemo(() => ({ width: finest?.width ?? 1, height: finest?.height ?? 1 }), [finest]);
  const zoom = usePanZoom(stage, content, { limits: LIMITS, largestFit: 4 });
  const level = chooseLevel(image.grids, zoom.view.scale, devicePixelRatio);
  const scene: Scene = { view: zoom.view, box: zoom.box, level, channels, position };
  const { canvas, failure, retry } = useTiles(image, scene);
  const [pointer, setPointer] = useState<{ x: number; y: number } | null>(null);
  const unit = shortUnit(image.pyramid.axes[axisIndex(image.pyramid.axes, 'x')]?.unit ?? null);
  const perPixel = image.pyramid.levels[0]?.scale[axisIndex(image.pyramid.axes, 'x')] ?? 1;
  const grid = image.grids[level];
  return (
    <div class="stage-frame">
      <div
        ref={stage}
        class="stage stage-dark"
        tabIndex={0}
        role="application"
        aria-label={`${name}, ${content.width} by ${content.height} pixels, ${channels.length} channels. Arrow keys move it, plus and minus zoom, 0 shows all of it.`}
        onPointerMove={(event) => setPointer(pointOf(event, zoom.view))}
        onPointerLeave={() => setPointer(null)}
      >
        <canvas ref={canvas} aria-hidden />
        <ScaleBar perScreenPixel={perPixel / zoom.view.scale} width={zoom.box.width} unit={unit} />
      </div>
      <div class="stage-line">
        <ZoomBar zoom={zoom} />
        <span>
          Level {level + 1} of {image.grids.length}, {grid?.width} × {grid?.height} px
        </span>
        <output class="stage-value">
          {pointer
            ? readout(image, scene, pointer, { perPixel, unit })
            : 'Drag to move. After a click, the wheel zooms.'}
        </output>
      </div>
      {failure !== null && <ReadFailure error={failure} retry={retry} />}
    </div>
  );
}

/** Reads the tiles in sight, and draws what is there. */
function useTiles(image: ZarrImage, scene: Scene) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useMemo(() => new TilePainter(image), [image]);
  const latest = useRef(scene);
  latest.current = scene;
  const frame = useRef(0);
  const [failure, setFailure] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const redraw = useCallback(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      if (canvas.current) painter.draw(canvas.current, latest.current);
    });
  }, [painter]);
  useEffect(redraw);
  const { view, box, level, channels, position } = scene;
  const shown = channels.flatMap(({ active }, index) => (active ? [index] : [])).join();
  useEffect(() => {
    if (box.width === 0) return;
    const active = shown.split(',').filter(Boolean).map(Number);
    const coarsest = image.grids.length - 1;
    const tiles = [...new Set([coarsest, level])].flatMap((which) => {
      const grid = image.grids[which];
      return grid ? tilesInSight(grid, which, view, box) : [];
    });
    // While one drags, nothing is asked for.
    const timer = setTimeout(() => {
      setFailure(null);
      image.want(tiles, active, position, redraw).catch((error: unknown) => {
        if (!wasAborted(error)) setFailure(error);
      });
    }, 50);
    return () => clearTimeout(timer);
  }, [image, view, box, level, shown, position, redraw, attempt]);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  return { canvas, failure, retry: () => setAttempt((before) => before + 1) };
}

function pointOf(event: PointerEvent, view: Scene['view']): { x: number; y: number } {
  const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return {
    x: Math.floor((event.clientX - left - view.x) / view.scale),
    y: Math.floor((event.clientY - top - view.y) / view.scale),
  };
}

/** Where the pointer is, and the values there. */
function readout(
  image: ZarrImage,
  { level, channels, position }: Scene,
  { x, y }: { x: number; y: number },
  { perPixel, unit }: { perPixel: number; unit: string },
): string {
  const grid = image.grids[level];
  const [column, row] = [Math.floor(x / (grid?.factorX ?? 1)), Math.floor(y / (grid?.factorY ?? 1))];
  if (!grid || column < 0 || row < 0 || column >= grid.width || row >= grid.height) return '';
  const tile = { level, column: Math.floor(column / grid.tileWidth), row: Math.floor(row / grid.tileHeight) };
  const values = channels.flatMap(({ active, label }, index) => {
    const plane = active ? image.plane(tile, index, position) : null;
    if (!plane) return [];
    const at =
      plane.offset +
      (row % grid.tileHeight) * plane.rowStride +
      (column % grid.tileWidth) * plane.columnStride;
    return [`${label} ${formatNumber(Number(plane.data[at]))}`];
  });
  const place = [x, y].map((value) => formatNumber(value * perPixel)).join(', ');
  return `${place} ${unit}${values.length > 0 ? `: ${values.join(', ')}` : ''}`;
}

function ScaleBar({ perScreenPixel, width, unit }: { perScreenPixel: number; width: number; unit: string }) {
  if (width === 0) return null;
  const { pixels, length } = scaleBar(perScreenPixel, width);
  return (
    <div class="scale-bar" style={{ width: pixels }}>
      {formatNumber(length)} {unit}
    </div>
  );
}
