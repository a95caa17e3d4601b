import { Route, Switch, useLocation } from 'wouter-preact';
import { ErrorBoundary } from './components/ErrorBoundary';
import { lazy } from './components/lazy';
import { Shell } from './components/Shell';
import { ErrorState } from './components/States';
import { Toasts } from './components/Toast';
import { routes } from './lib/routes';
import { useLoad } from './lib/useLoad';
import { DatasetPage } from './pages/DatasetPage';
import { DatasetsPage } from './pages/DatasetsPage';
import { NotFoundPage } from './pages/NotFoundPage';
import { SignInPage } from './pages/SignInPage';
import { session } from './session';
import { loadSettings, settings } from './settings';

const FileRoute = lazy(() => import('./pages/FileRoute').then((module) => module.FileRoute));
const TrashPage = lazy(() => import('./pages/TrashPage').then((module) => module.TrashPage));
const OperationsPage = lazy(() => import('./pages/OperationsPage').then((module) => module.OperationsPage));
const ReferencePage = lazy(() => import('./pages/ReferencePage').then((module) => module.ReferencePage));
const LoginPage = lazy(() => import('./pages/LoginPage').then((module) => module.LoginPage));

export function App() {
  const { error, reload } = useLoad('settings', loadSettings);
  const [location] = useLocation();
  return (
    <>
      <Shell>
        <ErrorBoundary location={location}>
          {error ? <ErrorState error={error} retry={reload} /> : settings.value && <Pages />}
        </ErrorBoundary>
      </Shell>
      <Toasts />
    </>
  );
}

/** The reference and the page of operators need nobody signed in: the service asks whoever must be. */
function Pages() {
  return (
    <Switch>
      <Route path="/login">
        <LoginPage />
      </Route>
      <Route path="/docs">
        <ReferencePage />
      </Route>
      <Route path="/operations">
        <OperationsPage />
      </Route>
      <Route>{session.value ? <PrivatePages key={session.value.name} /> : <SignInPage />}</Route>
    </Switch>
  );
}

function PrivatePages() {
  return (
    <Switch>
      <Route path={routes.home()} component={DatasetsPage} />
      <Route path="/datasets/:workspace" component={DatasetsPage} />
      <Route path="/dataset/:dataset" component={DatasetPage} />
      <Route path="/dataset/:dataset/folder/:folder" component={DatasetPage} />
      <Route path="/dataset/:dataset/file/:file">
        <FileRoute />
      </Route>
      <Route path="/dataset/:dataset/trash">
        <TrashPage />
      </Route>
      <Route component={NotFoundPage} />
    </Switch>
  );
}
