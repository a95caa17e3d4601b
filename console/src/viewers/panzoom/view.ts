/** How content lies on the screen: a point of it is at `x + left * scale`. */
export interface PanZoom {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Limits {
  least: number;
  most: number;
}

const MARGIN = 12;

/** All of the content in the middle of the box. Small pictures are not made larger than `largest`. */
export function fit(content: Size, box: Size, largest = Infinity): PanZoom {
  const room = { width: Math.max(box.width - 2 * MARGIN, 1), height: Math.max(box.height - 2 * MARGIN, 1) };
  const scale = Math.min(room.width / content.width, room.height / content.height, largest);
  return { scale, x: (box.width - content.width * scale) / 2, y: (box.height - content.height * scale) / 2 };
}

/** Zooms so that what is at the point stays there. */
export function zoomAt(
  view: PanZoom,
  point: { x: number; y: number },
  factor: number,
  limits: Limits,
): PanZoom {
  const scale = Math.min(Math.max(view.scale * factor, limits.least), limits.most);
  const ratio = scale / view.scale;
  return { scale, x: point.x - (point.x - view.x) * ratio, y: point.y - (point.y - view.y) * ratio };
}

const IN_SIGHT = 48;

/** Keeps a bit of the content in sight, wherever one drags it. */
export function keepInSight(view: PanZoom, content: Size, box: Size): PanZoom {
  const clamp = (value: number, size: number, room: number) =>
    Math.min(Math.max(value, Math.min(IN_SIGHT, room) - size), room - Math.min(IN_SIGHT, room));
  return {
    scale: view.scale,
    x: clamp(view.x, content.width * view.scale, box.width),
    y: clamp(view.y, content.height * view.scale, box.height),
  };
}
