import { IconButton } from '../../components/Button';
import type { PanZoomState } from './usePanZoom';
import './stage.css';

/** Buttons for what the wheel and keys do too. */
export function ZoomBar({ zoom }: { zoom: PanZoomState }) {
  return (
    <div class="zoom-bar" role="group" aria-label="Zoom">
      <IconButton icon="minus" label="Smaller" onClick={() => zoom.zoom(1 / 1.5)} />
      <span class="zoom-scale">{Math.round(zoom.view.scale * 100)} %</span>
      <IconButton icon="plus" label="Larger" onClick={() => zoom.zoom(1.5)} />
      <button type="button" class="text-button" onClick={zoom.showAll}>
        All
      </button>
      <button type="button" class="text-button" onClick={() => zoom.showScale(1)}>
        1 : 1
      </button>
    </div>
  );
}
