import { useMemo, useState } from 'preact/hooks';
import { ErrorBoundary } from '../components/ErrorBoundary';
import { lazy } from '../components/lazy';
import { Name } from '../components/Name';
import type { ViewedFile, ViewerProps } from '../viewers/types';
import { Failure } from '../viewers/ReadFailure';
import { whyUnavailable } from './availability';
import { LinkPanel } from './LinkPanel';
import { useFileSource } from './useFile';
import { viewsOf, type FileView, type ViewRoute, type ViewerKind } from './views';
import './FilePage.css';

const text = lazy<ViewerProps>(() => import('../viewers/text/TextViewer').then((module) => module.default));
const media = lazy<ViewerProps>(() =>
  import('../viewers/media/MediaViewer').then((module) => module.default),
);

/** Each viewer's code is loaded when it is first needed. */
const VIEWERS: Record<ViewerKind, ReturnType<typeof lazy<ViewerProps>>> = {
  image: lazy<ViewerProps>(() => import('../viewers/image/ImageViewer').then((module) => module.default)),
  parquet: lazy<ViewerProps>(() =>
    import('../viewers/parquet/ParquetViewer').then((module) => module.default),
  ),
  csv: lazy<ViewerProps>(() => import('../viewers/csv/CsvViewer').then((module) => module.default)),
  zarr: lazy<ViewerProps>(() => import('../viewers/zarr/ZarrViewer').then((module) => module.default)),
  json: lazy<ViewerProps>(() => import('../viewers/json/JsonViewer').then((module) => module.default)),
  markdown: lazy<ViewerProps>(() =>
    import('../viewers/markdown/MarkdownViewer').then((module) => module.default),
  ),
  hdf5: lazy<ViewerProps>(() => import('../viewers/hdf5/Hdf5Viewer').then((module) => module.default)),
  none: lazy<ViewerProps>(() => import('../viewers/none/NoViewer').then((module) => module.default)),
  text,
  video: media,
  audio: media,
};

/** Chooses the viewer of a file, and shows the link beside it. */
export function FilePage({ file }: { file: ViewedFile }) {
  const views = useMemo(() => viewsOf(file), [file]);
  const [index, setIndex] = useState(0);
  const view = views[index] ?? views[0];
  const reason = whyUnavailable(file);
  if (reason) return <Failure {...reason} />;
  if (!view) return null;
  return (
    <div class="file-page">
      {views.length > 1 && <Views views={views} chosen={index} onChoose={setIndex} />}
      <Shown key={view.name} file={file} view={view} />
    </div>
  );
}

function Views(props: { views: FileView[]; chosen: number; onChoose: (index: number) => void }) {
  return (
    <div class="file-views" role="group" aria-label="What is shown">
      {props.views.map(({ name, routes }, index) => (
        <button
          key={name}
          type="button"
          aria-pressed={props.chosen === index}
          onClick={() => props.onChoose(index)}
        >
          <Name name={name} />
          <span>{routes.some(({ path }) => path === null) ? 'source file' : 'viewer asset'}</span>
        </button>
      ))}
    </div>
  );
}

function Shown({ file, view }: { file: ViewedFile; view: FileView }) {
  const [first] = view.routes;
  const [route, setRoute] = useState<ViewRoute | undefined>(first);
  return route && <Linked file={file} view={view} route={route} onRoute={setRoute} />;
}

function Linked(props: {
  file: ViewedFile;
  view: FileView;
  route: ViewRoute;
  onRoute: (route: ViewRoute) => void;
}) {
  const { file, view, route, onRoute } = props;
  const source = useFileSource(file, view, route);
  const Viewer = VIEWERS[view.viewer];
  return (
    <div class="file-columns">
      <section class="file-viewer" aria-label="The file">
        <ErrorBoundary key={route.route}>
          <Viewer file={file} view={view} source={source} />
        </ErrorBoundary>
      </section>
      <LinkPanel file={file} view={view} route={route} source={source} onRoute={onRoute} />
    </div>
  );
}
