import { render } from 'preact';
import { App } from './app';
import { followTheme } from './lib/theme';
import './styles/tokens.css';
import './styles/base.css';

followTheme();

// Programs that pass links on may encode the colons of node ids.
const { pathname, search, hash } = location;
if (/%3a/i.test(pathname)) history.replaceState(null, '', pathname.replace(/%3a/gi, ':') + search + hash);

const root = document.getElementById('app');
if (root) render(<App />, root);
