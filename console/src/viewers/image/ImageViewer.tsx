import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { FormatError } from '../../file/error';
import { formatBytes } from '../../lib/format';
import { ZoomBar } from '../panzoom/ZoomBar';
import { usePanZoom } from '../panzoom/usePanZoom';
import type { ViewerProps } from '../types';
import { WholeFile } from '../WholeFile';
import { mediaTypeOf } from './mediaType';

const FREE_BYTES = 30_000_000;

interface Picture {
  url: string;
  width: number;
  height: number;
}

/** A picture that browsers know. SVG too: in an <img> it runs no script and loads nothing. */
export default function ImageViewer({ source, view }: ViewerProps) {
  const made = useRef<string[]>([]);
  useEffect(() => {
    const urls = made.current;
    return () => urls.forEach((url) => URL.revokeObjectURL(url));
  }, []);
  const open = async (bytes: Uint8Array<ArrayBuffer>) => {
    const url = URL.createObjectURL(new Blob([bytes], { type: mediaTypeOf(view.name) }));
    made.current.push(url);
    return measure(url);
  };
  return (
    <WholeFile source={source} size={view.size} free={FREE_BYTES} name={view.name} parse={open}>
      {(picture) => <Stage picture={picture} name={view.name} size={view.size} />}
    </WholeFile>
  );
}

async function measure(url: string): Promise<Picture> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new FormatError(
      'The browser cannot read this picture: it is damaged, or of another kind than its name says.',
    );
  }
  // An SVG without a size of its own
  return { url, width: image.naturalWidth || 800, height: image.naturalHeight || 600 };
}

const LIMITS = { least: 0.02, most: 32 };

function Stage({ picture, name, size }: { picture: Picture; name: string; size: number | null }) {
  const stage = useRef<HTMLDivElement>(null);
  const content = useMemo(() => ({ width: picture.width, height: picture.height }), [picture]);
  const zoom = usePanZoom(stage, content, { limits: LIMITS, largestFit: 1 });
  const [failed, setFailed] = useState(false);
  const { scale, x, y } = zoom.view;
  return (
    <div class="stage-frame">
      <div
        ref={stage}
        class="stage stage-checked"
        tabIndex={0}
        role="application"
        aria-label={`${name}, a picture. Arrow keys move it, plus and minus zoom, 0 shows all of it.`}
      >
        {!failed && (
          <img
            src={picture.url}
            alt={name}
            width={picture.width}
            height={picture.height}
            draggable={false}
            onError={() => setFailed(true)}
            style={{
              transform: `translate(${x}px, ${y}px) scale(${scale})`,
              imageRendering: scale >= 3 ? 'pixelated' : 'auto',
            }}
          />
        )}
      </div>
      <div class="stage-line">
        <ZoomBar zoom={zoom} />
        <span>
          {picture.width} × {picture.height} px{size !== null && `, ${formatBytes(size)}`}
        </span>
        <span class="stage-value">Drag to move. After a click, the wheel zooms.</span>
      </div>
    </div>
  );
}
