import { useState } from 'preact/hooks';
import { requestApi, wasAborted } from '../../api/client';
import type { Asset, Page } from '../../api/types';
import { Skeleton } from '../../components/States';
import { useLoad } from '../../lib/useLoad';
import { ReadFailure } from '../ReadFailure';
import type { ViewerProps } from '../types';
import { ChannelPanel } from './ChannelPanel';
import { defaultChannels, type Channel } from './channels';
import { ZarrImage, type Position } from './image';
import { PyramidCanvas } from './PyramidCanvas';
import { DirectoryStore } from './store';
import './ZarrViewer.css';

/** An OME-Zarr image: the level that suits the zoom, the chunks in sight, all through one link. */
export default function ZarrViewer(props: ViewerProps) {
  const { data, error, reload } = useLoad(`zarr ${props.view.name}`, (signal) => openImage(props, signal));
  if (error && !wasAborted(error)) return <ReadFailure error={error} retry={reload} />;
  if (!data) return <Skeleton lines={10} label="Reading the image's metadata" />;
  return <Image image={data.image} defaults={data.channels} name={props.view.name} />;
}

async function openImage({ file, view, source }: ViewerProps, signal: AbortSignal) {
  const path = view.routes[0]?.path ?? '';
  // It takes until the link is there anyway.
  const present = listNames(file.datasetId, file.packageId, path, signal);
  const store = new DirectoryStore(source, signal);
  const image = await ZarrImage.open(store, await present, signal);
  return { image, channels: await defaultChannels(image) };
}

/** The names at the top of the directory; null if they cannot be listed. */
async function listNames(
  dataset: string,
  packageId: string,
  path: string,
  signal: AbortSignal,
): Promise<string[] | null> {
  try {
    const query = { dataset_id: dataset, package_id: packageId, path };
    const page = await requestApi<Page<Asset>>('/assets', { query, signal });
    return page.next === null ? page.items.map((asset) => asset.path.slice(path.length)) : null;
  } catch (error) {
    if (wasAborted(error)) throw error;
    return null;
  }
}

function Image({ image, defaults, name }: { image: ZarrImage; defaults: Channel[]; name: string }) {
  const [channels, setChannels] = useState(defaults);
  const [position, setPosition] = useState<Position>(() => middleOf(image));
  return (
    <div class="zarr">
      <PyramidCanvas image={image} channels={channels} position={position} name={name} />
      <ChannelPanel
        image={image}
        channels={channels}
        defaults={defaults}
        position={position}
        onChannels={setChannels}
        onPosition={setPosition}
      />
    </div>
  );
}

/** In the middle of a stack there is more to see than at its ends; time begins at its beginning. */
function middleOf(image: ZarrImage): Position {
  return Object.fromEntries(
    image.sliders.map(({ name, length }) => [name, name === 't' ? 0 : Math.floor(length / 2)]),
  );
}
