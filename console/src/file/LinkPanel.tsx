import { useState } from 'preact/hooks';
import { requestApi, wasAborted } from '../api/client';
import { Button } from '../components/Button';
import { describeError, Notice } from '../components/States';
import { copyText } from '../components/Toast';
import type { ViewedFile } from '../viewers/types';
import { systemClock } from './clock';
import { CopyAs } from './CopyAs';
import { Lifetime } from './Lifetime';
import { obtainLink } from './link';
import type { FileSource } from './source';
import { TrafficBox } from './TrafficBox';
import type { FileView, ViewRoute } from './views';
import './LinkPanel.css';

interface LinkPanelProps {
  file: ViewedFile;
  view: FileView;
  route: ViewRoute;
  source: FileSource;
  onRoute: (route: ViewRoute) => void;
}

/** Which link shows the file, what it costs, how long it works, and how to use it elsewhere. */
export function LinkPanel(props: LinkPanelProps) {
  const { file, view, route, source, onRoute } = props;
  const directory = route.path?.endsWith('/') ?? false;
  const note = directory ? 'of a pyramid: only chunks in sight' : '';
  return (
    <aside class="link-panel" aria-label="The link">
      <Actions {...props} directory={directory} />
      <section class="link-section">
        <h2>Link</h2>
        <Routes routes={view.routes} chosen={route} onChoose={onRoute} />
        <Lifetime keeper={source.keeper} directory={directory} />
      </section>
      <TrafficBox traffic={source.traffic} size={note ? null : view.size} note={note} />
      <CopyAs file={file} path={route.path} />
    </aside>
  );
}

function Actions({ file, view, source, directory }: LinkPanelProps & { directory: boolean }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');
  // A directory is no file. The package's source file can be downloaded, whatever is shown, if there is one.
  const asset = directory ? null : (view.routes.find(({ route }) => route === 's3')?.path ?? null);
  const download = async () => {
    setBusy(true);
    setFailure('');
    try {
      await startDownload(file, asset);
    } catch (error) {
      if (!wasAborted(error)) setFailure(describeError(error).title);
    }
    setBusy(false);
  };
  const { link } = source.keeper.state.value;
  return (
    <div class="link-actions">
      {(asset !== null || file.files !== 0) && (
        <Button look="primary" icon="download" busy={busy} onClick={() => void download()}>
          Download
        </Button>
      )}
      {link && (
        <Button icon="link" onClick={() => void copyText(linkText(link), 'The link')}>
          Copy link
        </Button>
      )}
      {failure && <Notice tone="danger">{failure}. Try again.</Notice>}
    </div>
  );
}

function linkText({ url, query }: { url: string; query: string | null }): string {
  return query === null ? url : `${url}?${query}`;
}

/** The link's Content-Disposition names the file, so that the browser saves it and stays on the page. */
async function startDownload(file: ViewedFile, path: string | null): Promise<void> {
  const { datasetId, packageId } = file;
  const target = { datasetId, packageId, path, route: 's3' as const };
  const link = await obtainLink(requestApi, target, systemClock);
  const anchor = document.createElement('a');
  anchor.href = link.url;
  anchor.rel = 'noopener noreferrer';
  anchor.referrerPolicy = 'no-referrer';
  anchor.download = path?.split('/').at(-1) ?? file.name;
  anchor.click();
}

const TEXTS: Record<ViewRoute['route'], { name: string; what: string }> = {
  s3: { name: 'S3', what: 'A presigned URL: S3 sends the file itself.' },
  cdn: { name: 'CDN', what: 'A signed URL of CloudFront, which keeps copies near you.' },
  proxy: {
    name: 'Proxy',
    what: 'The service redirects to S3: for programs that need HEAD. Each request asks the service, too.',
  },
};

function Routes(props: { routes: ViewRoute[]; chosen: ViewRoute; onChoose: (route: ViewRoute) => void }) {
  const { routes, chosen, onChoose } = props;
  const { what } = TEXTS[chosen.route];
  const asset =
    chosen.path === null ? 'the source file' : chosen.path.endsWith('/') ? null : 'a viewer asset';
  return (
    <>
      {routes.length > 1 && (
        <div class="choice link-routes" role="group" aria-label="Way to the file">
          {routes.map((route) => (
            <button
              key={route.route}
              type="button"
              aria-pressed={route.route === chosen.route}
              onClick={() => onChoose(route)}
            >
              {TEXTS[route.route].name}
            </button>
          ))}
        </div>
      )}
      <p class="link-what">
        {routes.length === 1 && <b>{TEXTS[chosen.route].name}. </b>}
        {asset === null
          ? 'One signed link of the CDN for all objects beneath the directory.'
          : `${what} It opens ${asset}.`}
      </p>
    </>
  );
}
